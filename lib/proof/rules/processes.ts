import { normalize } from 'node:path';
import { isAliveState } from '../../protocol/status.ts';
import type { EventFact, Evidence, Violation } from '../evidence.ts';
import { recordOf } from './facts.ts';

/** Guarantee 4: after `orch reap`, nothing that a dead worker's tools started lives. */
export function judgeLeftovers(evidence: Evidence): Violation[] {
  if (!evidence.reaped) return [];
  return evidence.remaining.flatMap(({ pid, kind, command, workstream, token }) => {
    if (kind === 'orchestrator') return [];
    const record = workstream === null ? null : recordOf(evidence, workstream);
    const isOfLiving = record !== null && isAliveState(record) && record.identity.token === token;
    if (isOfLiving) return [];
    return [{ guarantee: 4 as const, workstream, what: `pid ${pid} still lives: ${command}` }];
  });
}

/** Guarantee 5: nobody is signalled, no file removed, nobody settled as dead, without proof. */
export function judgeSignals(evidence: Evidence): Violation[] {
  const { events, bystanders } = evidence;
  const dead = bystanders
    .filter(({ alive }) => alive === false)
    .map(({ pid, what }) => broken(null, `the bystander ${pid} (${what}) is gone`));
  const events5 = events.flatMap((event) => {
    if (event.event === 'signal') return signalFaults(evidence, event);
    return event.event === 'remove' ? removeFaults(evidence, event) : [];
  });
  const alive = evidence.workstreams.flatMap(({ id }) => [
    ...settledAlive(events, id),
    ...livesOn(evidence, id),
    ...bereaved(evidence, id),
  ]);
  return [...dead, ...events5, ...alive];
}

const broken = (workstream: string | null, what: string): Violation => ({ guarantee: 5, workstream, what });

/** An event is written right after its signal; clocks of processes and of the system differ by a little. */
const SLACK_SECONDS = 1;

function signalFaults({ bystanders }: Evidence, event: EventFact): Violation[] {
  const { workstream, why, at } = event;
  const { pid, signal } = event;
  if (typeof pid !== 'number' || pid <= 1 || typeof signal !== 'string')
    return [broken(workstream, `a signal to pid ${String(pid)} was told of`)];
  if (why === '') return [broken(workstream, `${signal} to pid ${pid} without a reason`)];
  const hit = bystanders.find((one) => one.pid === pid && one.since < at - SLACK_SECONDS);
  return hit === undefined ? [] : [broken(workstream, `${signal} to the bystander ${pid} (${hit.what})`)];
}

const STATE_FILE = /^\.(?:status|pids|logs|worktrees)\/./;

function removeFaults({ root }: Evidence, event: EventFact): Violation[] {
  const { workstream, why, path, files } = event;
  const named = [path, ...(Array.isArray(files) ? files : [])].filter((one) => one !== undefined);
  if (named.length === 0) return [broken(workstream, 'a removal was told of that names no file')];
  if (why === '') return [broken(workstream, `${String(named[0])} was removed without a reason`)];
  return named.flatMap((one) => {
    const isOurs =
      typeof one === 'string' &&
      one === normalize(one) &&
      one.startsWith(`${root}/`) &&
      STATE_FILE.test(one.slice(root.length + 1));
    return isOurs ? [] : [broken(workstream, `${String(one)} was removed, which is no file of orch`)];
  });
}

/** A worker that writes an event after it was settled as gone was not gone. */
function settledAlive(events: readonly EventFact[], id: string): Violation[] {
  const settled = new Map<string, string>();
  const found: Violation[] = [];
  for (const { event, workstream, actor, to, attempt } of events) {
    const worker = `worker:${id}:`;
    const isOwn = actor.startsWith(worker);
    const by = settled.get(actor.slice(0, actor.lastIndexOf(':')));
    if (isOwn && by !== undefined) {
      found.push(broken(id, `${by}, though that worker went on ("${event}")`));
      settled.clear();
    }
    if (event !== 'state' || workstream !== id || isOwn) continue;
    if (to === 'crashed' || to === 'stopped')
      settled.set(
        `${worker}${String(attempt)}`,
        `attempt ${String(attempt)} was settled as ${to} by ${actor}`,
      );
    // The record was made anew, and its numbers with it.
    if (to === 'starting') settled.delete(`${worker}${String(attempt)}`);
  }
  return found;
}

/** Reasons that only those write who have proved a worker dead. */
const PROVED_DEAD = new Set(['lost', 'never_started', 'rebooted']);

/** The record says that the worker is gone, and there it is. */
function livesOn(evidence: Evidence, id: string): Violation[] {
  const record = recordOf(evidence, id);
  if (record?.identity == null || !PROVED_DEAD.has(record.reason?.code ?? '')) return [];
  const { token } = record.identity;
  const worker = evidence.remaining.find((one) => one.kind === 'worker' && one.token === token);
  if (worker === undefined || isAliveState(record)) return [];
  return [broken(id, `it is ${record.status} (${record.reason?.code}), but its worker ${worker.pid} lives`)];
}

/** Who cleans up signalled what a worker had started, and after that the worker wrote that it ended, or went on. */
function bereaved({ events, ledger }: Evidence, id: string): Violation[] {
  const attempts = new Map(
    ledger.filter(({ workstream }) => workstream === id).map(({ token, attempt }) => [token, attempt]),
  );
  const robbed = new Map<string, string>();
  for (const { event, workstream, actor, token, proof, pid, ...detail } of events) {
    // The record was made anew, and its numbers with it.
    if (event === 'state' && workstream === id && detail['to'] === 'starting')
      robbed.delete(`worker:${id}:${String(detail['attempt'])}`);
    const by = robbed.get(actor.slice(0, actor.lastIndexOf(':')));
    if (by !== undefined && event === 'state') return [broken(id, by)];
    const attempt = typeof token === 'string' ? attempts.get(token) : undefined;
    if (event !== 'signal' || workstream !== id || attempt === undefined || proof === 'worker') continue;
    const what = `${actor} signalled ${String(pid)} of attempt ${attempt}, whose worker lived and wrote its end later`;
    if (!actor.startsWith('worker:')) robbed.set(`worker:${id}:${attempt}`, what);
  }
  return [];
}
