import { errnoOf, OrchError } from '../errors.ts';
import { judge, locate } from '../process/identity.ts';
import { isFrozen, origin } from '../process/system.ts';
import { leftToBegin } from '../protocol/anew.ts';
import { recordPath } from '../protocol/layout.ts';
import type { ForeignRecord } from '../protocol/parse.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import {
  type AliveRecord,
  isAliveState,
  isFinal,
  type Reason,
  type State,
  type StatusRecord,
} from '../protocol/status.ts';
import { placeOf, type RecordRead, UNREADABLE_HINT } from '../store/records.ts';
import { readHeartbeat } from '../store/signs.ts';
import { verdictOfDeath } from './decide.ts';
import { type Judgement, lookAtForeign, unknownReason } from './foreign.ts';
import { isLauncherGone, isStopAsked } from './observe.ts';

/** What a reattach would settle on; `unknown` where no probe can tell. */
export type Verdict = Judgement['verdict'];

/** One workstream as `orch status --json` shows it, with every field of its record. */
export type WorkstreamStatus = {
  workstream: string;
  /** As the record says it; `missing` or `unreadable` where there is none that can be read. */
  status: string;
  /** The plan in force has it. */
  planned: boolean;
  /** Whether a worker is at work on it; null if that cannot be known. */
  alive: boolean | null;
  verdict: Verdict;
  /** Nothing more happens to it without a person. False where the verdict contradicts the record. */
  final: boolean;
  /** Seconds, by the clock of the file system; null if unknown. It informs and decides nothing. */
  heartbeat_age: number | null;
  cpu_percent: number | null;
  memory_bytes: number | null;
  /** Why the verdict is not what the record says; null where they agree. */
  evidence: string | null;
  current_task: string | null;
  progress: string | null;
  last_update: number | null;
  exit_code: number | null;
  pid: number | null;
  reason: Reason | null;
  [field: string]: unknown;
};

/** What the plan says that a verdict depends on. */
export type Setting = { restartLimit: number; staleSeconds: number; run: string | null };

/** The reason of what a launch was to begin anew, and was cut off before it did. */
export const LAUNCH_LEFT = 'launch_cut_off';

const NOTHING = { current_task: null, progress: null, last_update: null, exit_code: null, pid: null };

/** What every workstream shows, in place of what a record (a foreign one's, of any type) says by that name. */
type Shown = Pick<WorkstreamStatus, 'current_task' | 'progress' | 'last_update' | 'exit_code' | 'pid'>;

function assemble(
  id: string,
  status: string,
  judged: Judgement,
  age: number | null,
  shown: Shown,
  fields: object,
): WorkstreamStatus {
  // Into the very object that was just parsed, which nobody else has: a copy of each costs 20 ms per 1,000 records.
  const out = fields as { [field: string]: unknown };
  out['workstream'] = id;
  out['status'] = status;
  out['alive'] = judged.alive;
  out['verdict'] = judged.verdict;
  out['final'] = judged.final;
  out['heartbeat_age'] = age;
  out['cpu_percent'] = null;
  out['memory_bytes'] = null;
  out['evidence'] = judged.evidence;
  out['current_task'] = shown.current_task;
  out['progress'] = shown.progress;
  out['last_update'] = shown.last_update;
  out['exit_code'] = shown.exit_code;
  out['pid'] = shown.pid;
  out['reason'] = judged.reason;
  return out as WorkstreamStatus;
}

function heartbeatAge(root: string, id: string): number | null {
  const beat = readHeartbeat(root, id);
  return beat === null ? null : Math.max(0, Date.now() - beat.mtimeMs) / 1000;
}

const agreed = (status: State, final: boolean, alive: boolean | null, reason: Reason | null): Judgement => ({
  alive,
  verdict: status,
  final,
  evidence: null,
  reason,
});

/** What a record means, by whether its worker lives. Signals nothing, writes nothing, scans nothing. */
export async function verdictOf(
  root: string,
  id: string,
  read: RecordRead,
  planned: PlannedWorkstream | null,
  setting: Setting,
): Promise<WorkstreamStatus> {
  switch (read.kind) {
    case 'record': {
      const { record } = read;
      const age = isAliveState(record) ? heartbeatAge(root, id) : null;
      const judged = isAliveState(record)
        ? await judgeAlive(root, id, record, age, setting)
        : leftToBegin(setting.run, planned, record) !== null
          ? judgeLeft(record)
          : agreed(record.status, isFinal(record, setting.restartLimit), false, record.reason);
      return assemble(id, record.status, judged, age, record, record);
    }
    case 'foreign':
      return ofForeign(root, id, read.record);
    case 'unreadable': {
      const { line, column, message } = read;
      const file = recordPath(root, id);
      const evidence = placeOf(root, id, read);
      const reason = { code: 'unreadable', message: evidence, hint: UNREADABLE_HINT };
      const judged: Judgement = { alive: null, verdict: 'unknown', final: false, evidence, reason };
      const fields = { file, line, column, message };
      return assemble(id, 'unreadable', judged, heartbeatAge(root, id), NOTHING, fields);
    }
    case 'missing': {
      const hint = 'Whoever orchestrates writes it; where nobody does, run `orch reattach`.';
      const reason = { code: 'no_record', message: 'it is planned and has no record yet', hint };
      const judged: Judgement = { alive: null, verdict: 'pending', final: false, evidence: null, reason };
      const progress = planned === null ? null : `0/${planned.tasks.length}`;
      return assemble(
        id,
        'missing',
        judged,
        null,
        { ...NOTHING, progress },
        { title: planned?.title ?? null },
      );
    }
  }
}

function judgeLeft({ status }: StatusRecord): Judgement {
  const message = 'a launch that begins it anew was cut off before it came to it';
  const hint = 'Whoever orchestrates goes on with it; where nobody does, run `orch reattach`.';
  const reason = { code: LAUNCH_LEFT, message, hint };
  const evidence = status === 'pending' ? null : `the record says ${status}, but ${message}`;
  return { alive: false, verdict: 'pending', final: false, evidence, reason };
}

async function judgeAlive(
  root: string,
  id: string,
  record: AliveRecord,
  age: number | null,
  setting: Setting,
): Promise<Judgement> {
  const liveness = await judge(record.pid, record.identity);
  if (liveness === 'same') {
    const isStale = record.status === 'running' && age !== null && age > setting.staleSeconds;
    return agreed(
      record.status,
      false,
      true,
      isStale ? await staleReason(id, record.pid, age) : record.reason,
    );
  }
  const place = await whereabouts(record);
  if (liveness === 'unknown') {
    const message = place?.text ?? `pid ${record.pid} cannot be looked at from here`;
    return {
      alive: null,
      verdict: 'unknown',
      final: false,
      evidence: message,
      reason: unknownReason(id, message),
    };
  }
  const { status, reason } = verdictOfDeath(record, {
    stopAsked: tolerant(() => isStopAsked(root, id, record)) === true,
    rebooted: place?.rebooted ?? false,
    launcherGone: await isLauncherGone(record),
    restartLimit: setting.restartLimit,
  });
  const evidence =
    place?.text ?? `the record says ${record.status}, but its worker (pid ${record.pid}) is dead`;
  return { alive: false, verdict: status, final: false, evidence, reason };
}

async function staleReason(id: string, pid: number, ageSeconds: number): Promise<Reason> {
  if (await isFrozen(pid)) {
    const message = `its worker (pid ${pid}) is stopped by a signal since about ${Math.round(ageSeconds)} s`;
    const hint = `\`kill -CONT ${pid}\` lets it go on; \`orch stop ${id}\` ends it now, an orchestrator at its timeout.`;
    return { code: 'stale_heartbeat', message, hint };
  }
  const message = `its worker lives, but its last heartbeat is ${Math.round(ageSeconds)} s old`;
  return {
    code: 'stale_heartbeat',
    message,
    hint: `It ends at its timeout; \`orch stop ${id}\` ends it now.`,
  };
}

/** Why a PID of the record means nothing here; null where it does, or where this process cannot say where it is. */
async function whereabouts(record: AliveRecord): Promise<{ text: string; rebooted: boolean } | null> {
  try {
    const here = await origin();
    const place = locate(record.identity, here);
    if (place === 'here') return null;
    const rebooted = place === 'earlier boot';
    if (rebooted) return { text: `the machine was started again since pid ${record.pid} ran`, rebooted };
    const { host } = record.identity;
    if (host !== here.host) return { text: `its worker is on host ${host}, not on ${here.host}`, rebooted };
    return { text: 'its worker is in another PID namespace', rebooted };
  } catch (error) {
    if (error instanceof OrchError || errnoOf(error) !== null) return null;
    throw error;
  }
}

/** A sign that cannot be read must not hide the other workstreams: null then. */
function tolerant<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof OrchError) return null;
    throw error;
  }
}

async function ofForeign(root: string, id: string, record: ForeignRecord): Promise<WorkstreamStatus> {
  const { judged, pidFile } = await lookAtForeign(root, id, record);
  const { fields, status, current_task, progress, last_update, exit_code } = record;
  const shown = { current_task, progress, last_update, exit_code, pid: pidFile?.pid ?? null };
  return assemble(id, status, judged, heartbeatAge(root, id), shown, fields);
}
