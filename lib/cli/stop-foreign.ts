import { lookAtForeign, refuseForeign } from '../orchestrate/foreign.ts';
import { settleForeign } from '../orchestrate/settle-foreign.ts';
import type { ProcessInfo } from '../process/info.ts';
import { killKin } from '../process/kill.ts';
import { isAncestor } from '../process/kin.ts';
import { ENV } from '../protocol/layout.ts';
import type { ForeignRecord } from '../protocol/parse.ts';
import { audit } from '../store/events.ts';
import { endForeign, type ForeignEnd } from '../store/foreign.ts';
import { readRecord } from '../store/records.ts';
import { ANY_ATTEMPT, requestStop } from '../store/signs.ts';
import type { Stopped, StopRequest } from './stop-request.ts';

const KILL_BOUND_MS = 5_000;

/**
 * Stops a foreign worker on a person's explicit word: SIGTERM, the grace, SIGKILL, to the one process that its PID
 * file names. Where nobody can tell whether it lives, nothing is signalled, and `presumeDead` settles it.
 * @throws OrchError FOREIGN_WORKER where neither was asked for.
 */
export async function stopForeign(
  root: string,
  record: ForeignRecord,
  id: string,
  request: StopRequest,
): Promise<Stopped> {
  const { actor, foreign, presumeDead } = request;
  const { judged, process: info, pidFile } = await lookAtForeign(root, id, record);
  if (judged.final) {
    const end = await settleForeign(root, id, actor);
    return { workstream: id, ok: true, status: end?.status ?? judged.verdict, note: 'had ended already' };
  }
  if (info === null) return presumeDead ? presume(root, id, request) : undecided(id, judged.evidence);
  if (foreign !== true) throw notAsked(id, info);
  const objection = await objectionTo(root, id, info);
  if (objection !== null) return { workstream: id, ok: false, status: judged.verdict, note: objection };
  await requestStop(root, id, ANY_ATTEMPT);
  const { pid, startTime, command } = info;
  const target = { pid, startTime, command, workstream: id, token: null, ofLiveWorker: true };
  const why = 'a person asked for it, with --foreign';
  const written = pidFile?.mtimeMs ?? null;
  const { left } = await killKin(async () => [{ ...target, proof: 'pid file' }], {
    graceMs: request.graceMs,
    boundMs: KILL_BOUND_MS,
    onSignal: (kin, signal) =>
      audit(root, actor, {
        event: 'signal',
        workstream: id,
        why,
        signal,
        pid,
        command,
        proof: kin.proof,
        written,
      }),
  });
  if (left.length > 0)
    return { workstream: id, ok: false, status: judged.verdict, note: `pid ${pid} would not end` };
  return lastWord(root, id, request);
}

/** @throws OrchError FOREIGN_WORKER if one of `ids` is a live foreign worker: nobody is stopped before all may be. */
export async function refuseUnasked(root: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const read = readRecord(root, id);
    if (read.kind !== 'foreign') continue;
    const { judged, process: info } = await lookAtForeign(root, id, read.record);
    if (info !== null && !judged.final) throw notAsked(id, info);
  }
}

function notAsked(id: string, { pid, command }: ProcessInfo) {
  const name = command.length > 60 ? `${command.slice(0, 59)}…` : command;
  return refuseForeign(
    id,
    `\`orch stop ${id} --foreign\` ends the process of its PID file, ${pid} (${name}).`,
  );
}

function undecided(id: string, evidence: string | null): Stopped {
  const note = `${evidence ?? 'it cannot be judged'}; --presume-dead settles it on your word`;
  return { workstream: id, ok: false, status: 'unknown', note };
}

/** Why a process that a PID file names cannot be the foreign worker, or must not be ended; null if it may be. */
async function objectionTo(root: string, id: string, info: ProcessInfo): Promise<string | null> {
  const { pid, environ } = info;
  const owner = environ?.[ENV.token] === undefined ? undefined : environ[ENV.workstream];
  if (owner !== undefined && environ?.[ENV.root] === root && owner !== id)
    return `pid ${pid} belongs to ${owner}, which orch started`;
  if (pid === 1 || (await isAncestor(pid))) return `pid ${pid} is what runs this command`;
  return null;
}

/** What the worker said of its end, else what is said in its place. */
async function lastWord(root: string, id: string, { actor }: StopRequest): Promise<Stopped> {
  const end = await settleForeign(root, id, actor);
  if (end !== null) return { workstream: id, ok: true, status: end.status, note: end.reason.message };
  const now = readRecord(root, id);
  const status = now.kind === 'foreign' || now.kind === 'record' ? now.record.status : now.kind;
  return { workstream: id, ok: true, status, note: 'it ended' };
}

/** A word of orch's that is final stands; the proof that it lives speaks against presuming it dead. */
async function presume(root: string, id: string, { actor }: StopRequest): Promise<Stopped> {
  const hint = 'orch did not start it: start it again as you did before.';
  const reason = { code: 'presumed_dead', message: 'a person said that its worker is gone', hint };
  const end = await endForeign(root, id, actor, async (record): Promise<ForeignEnd | null> => {
    const { judged } = await lookAtForeign(root, id, record);
    return judged.verdict === 'unknown' && judged.alive !== true ? { status: 'stopped', reason } : null;
  });
  if (end !== null) return { workstream: id, ok: true, status: end.status, note: reason.message };
  return {
    workstream: id,
    ok: false,
    status: 'unknown',
    note: 'its record has changed meanwhile; try again',
  };
}
