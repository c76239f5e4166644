import { errnoOf, OrchError } from '../errors.ts';
import { judge, judgeByPidFile, locate } from '../process/identity.ts';
import { origin } from '../process/system.ts';
import { pidPath, recordPath } from '../protocol/layout.ts';
import type { ForeignRecord } from '../protocol/parse.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import {
  type AliveRecord,
  isAliveState,
  isFinal,
  type Reason,
  STATES,
  type State,
} from '../protocol/status.ts';
import type { RecordRead } from '../store/records.ts';
import { type PidFile, readHeartbeat, readPid, readStop } from '../store/signs.ts';
import { verdictOfDeath } from './decide.ts';
import { isStopAsked } from './observe.ts';

/** What a reattach would settle on; `unknown` where no probe can tell. */
export type Verdict = State | 'unknown';

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
export type Setting = { restartLimit: number; staleSeconds: number };

const FINAL_WORDS: ReadonlySet<string> = new Set<State>([
  'blocked',
  'completed',
  'failed',
  'timed_out',
  'stopped',
  'crashed',
  'merged',
  'conflict',
]);

type Judged = Pick<WorkstreamStatus, 'alive' | 'verdict' | 'final' | 'evidence' | 'reason'>;

const NOTHING = { current_task: null, progress: null, last_update: null, exit_code: null, pid: null };

/** What every workstream shows, in place of what a record (a foreign one's, of any type) says by that name. */
type Shown = Pick<WorkstreamStatus, 'current_task' | 'progress' | 'last_update' | 'exit_code' | 'pid'>;

function assemble(
  id: string,
  status: string,
  judged: Judged,
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

const agreed = (status: State, final: boolean, alive: boolean | null, reason: Reason | null): Judged => ({
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
        : agreed(record.status, isFinal(record, setting.restartLimit), false, record.reason);
      return assemble(id, record.status, judged, age, record, record);
    }
    case 'foreign':
      return ofForeign(root, id, read.record);
    case 'unreadable': {
      const { line, column, message } = read;
      const file = recordPath(root, id);
      const evidence = `${file}:${line}:${column}: ${message}`;
      const hint = 'Repair it or move it away; a copy is kept before orch writes a new one.';
      const reason = { code: 'unreadable', message: evidence, hint };
      const judged: Judged = { alive: null, verdict: 'unknown', final: false, evidence, reason };
      const fields = { file, line, column, message };
      return assemble(id, 'unreadable', judged, heartbeatAge(root, id), NOTHING, fields);
    }
    case 'missing': {
      const hint = 'Whoever orchestrates writes it; where nobody does, run `orch reattach`.';
      const reason = { code: 'no_record', message: 'it is planned and has no record yet', hint };
      const judged: Judged = { alive: null, verdict: 'pending', final: false, evidence: null, reason };
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

async function judgeAlive(
  root: string,
  id: string,
  record: AliveRecord,
  age: number | null,
  setting: Setting,
): Promise<Judged> {
  const liveness = await judge(record.pid, record.identity);
  if (liveness === 'same') {
    const isStale = record.status === 'running' && age !== null && age > setting.staleSeconds;
    return agreed(record.status, false, true, isStale ? staleReason(id, age) : record.reason);
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
    restartLimit: setting.restartLimit,
  });
  const evidence =
    place?.text ?? `the record says ${record.status}, but its worker (pid ${record.pid}) is dead`;
  return { alive: false, verdict: status, final: false, evidence, reason };
}

function staleReason(id: string, ageSeconds: number): Reason {
  const message = `its worker lives, but its last heartbeat is ${Math.round(ageSeconds)} s old`;
  return {
    code: 'stale_heartbeat',
    message,
    hint: `It ends at its timeout; \`orch stop ${id}\` ends it now.`,
  };
}

function unknownReason(id: string, message: string): Reason {
  const hint = `If you know that it is gone, \`orch stop ${id} --presume-dead\` settles it.`;
  return { code: 'unknown', message, hint };
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
  const file = tolerant(() => readPid(pidPath(root, id)));
  const liveness = file === null ? 'unknown' : await judgeByPidFile(file.pid, file.mtimeMs / 1000);
  const { fields, status, current_task, progress, last_update, exit_code } = record;
  const judged = judgeForeign(root, id, record, file, liveness);
  const shown = { current_task, progress, last_update, exit_code, pid: file?.pid ?? null };
  return assemble(id, status, judged, heartbeatAge(root, id), shown, fields);
}

function judgeForeign(
  root: string,
  id: string,
  record: ForeignRecord,
  file: PidFile | null,
  liveness: 'alive' | 'dead' | 'unknown',
): Judged {
  const alive = liveness === 'unknown' ? null : liveness === 'alive';
  const unknown = (message: string): Judged => ({
    alive,
    verdict: 'unknown',
    final: false,
    evidence: message,
    reason: unknownReason(id, message),
  });
  const word = STATES.find((state) => state === record.status);
  if (word === undefined)
    return unknown(`its worker's word ${JSON.stringify(record.status)} is not one of orch's`);
  if (FINAL_WORDS.has(word)) return agreed(word, true, alive, foreignReason(record.fields['reason']));
  if (file === null) return unknown(`there is no PID in ${pidPath(root, id)} to judge it by`);
  if (liveness === 'unknown') return unknown(`pid ${file.pid} cannot be looked at from here`);
  if (liveness === 'alive') return agreed(word, false, true, foreignReason(record.fields['reason']));
  const evidence = `the record says ${word}, but pid ${file.pid} is gone or is younger than its PID file`;
  const stop = tolerant(() => readStop(root, id));
  const verdict = stop !== null && stop.at * 1000 >= file.mtimeMs ? 'stopped' : 'crashed';
  const message =
    verdict === 'stopped' ? 'it ended while a person was stopping it' : 'it is gone without a last word';
  // Nobody restarts a foreign worker: this is its end, whether or not somebody has written it down.
  const reason = {
    code: verdict === 'stopped' ? 'stopped' : 'lost',
    message,
    hint: 'Start it again as you did before.',
  };
  return { alive, verdict, final: true, evidence, reason };
}

/** Whatever another program calls its reason, in the shape of ours. */
function foreignReason(value: unknown): Reason | null {
  if (typeof value === 'string') return { code: 'foreign', message: value, hint: null };
  if (typeof value !== 'object' || value === null) return null;
  const { code, message, hint } = value as Record<string, unknown>;
  if (typeof message !== 'string') return null;
  const text = (one: unknown): string | null => (typeof one === 'string' ? one : null);
  return { code: text(code) ?? 'foreign', message, hint: text(hint) };
}
