import { OrchError } from '../errors.ts';
import { findByPidFile } from '../process/identity.ts';
import type { ProcessInfo } from '../process/info.ts';
import { heartbeatPath, pidPath, stopPath } from '../protocol/layout.ts';
import type { ForeignRecord } from '../protocol/parse.ts';
import { type Reason, STATES, type State } from '../protocol/status.ts';
import type { ForeignEnd } from '../store/foreign.ts';
import { type PidFile, readHeartbeat, readPid, readStop } from '../store/signs.ts';
import type { StaleFile } from './world.ts';

/** Foreign workers: any program that writes a record and its PID. What can be known of them, and their end. */

/** What liveness says of a workstream, beside its record. */
export type Judgement = {
  alive: boolean | null;
  /** The state that a reattach would settle on; `unknown` where no probe can tell. */
  verdict: State | 'unknown';
  final: boolean;
  /** Why the verdict is not what the record says; null where they agree. */
  evidence: string | null;
  reason: Reason | null;
};

export type ForeignLook = {
  judged: Judgement;
  pidFile: PidFile | null;
  /** The live process that the PID file names. */
  process: ProcessInfo | null;
  /** What its record has to say, since it is proved dead and had no last word. */
  end: ForeignEnd | null;
  /** Files beside a record that has its last word and whose program is not there any more. */
  stale: StaleFile[];
};

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

/** Whether a foreign worker lives, by its PID file alone, and what follows from that. Writes and signals nothing. */
export async function lookAtForeign(root: string, id: string, record: ForeignRecord): Promise<ForeignLook> {
  const pidFile = readPid(pidPath(root, id));
  const found = pidFile === null ? 'unknown' : await findByPidFile(pidFile.pid, pidFile.mtimeMs / 1000);
  const process = typeof found === 'string' ? null : found;
  const alive = found === 'unknown' ? null : process !== null;
  const nothing = { pidFile, process, end: null, stale: [] };
  const unknown = (message: string): ForeignLook => ({
    ...nothing,
    judged: {
      alive,
      verdict: 'unknown',
      final: false,
      evidence: message,
      reason: unknownReason(id, message),
    },
  });
  const word = STATES.find((state) => state === record.status);
  if (word === undefined)
    return unknown(`its worker's word ${JSON.stringify(record.status)} is not one of orch's`);
  const final = FINAL_WORDS.has(word);
  const reason = foreignReason(record.fields['reason']);
  const agreed = { alive, verdict: word, final, evidence: null, reason };
  if (final) {
    const isOver = pidFile === null || alive === false;
    return { ...nothing, judged: agreed, stale: isOver ? staleFiles(root, id, pidFile) : [] };
  }
  if (pidFile === null) return unknown(`there is no PID in ${pidPath(root, id)} to judge it by`);
  if (found === 'unknown') return unknown(`pid ${pidFile.pid} cannot be looked at from here`);
  if (process !== null) return { ...nothing, judged: agreed };
  const fate = found === 'gone' ? 'is gone' : 'is a younger process than its PID file';
  const end = endOf(root, id, pidFile, fate);
  const evidence = `the record says ${word}, but pid ${pidFile.pid} ${fate}`;
  // Nobody restarts a foreign worker: this is its end, whether or not somebody has written it down.
  const judged = { alive, verdict: end.status, final: true, evidence, reason: end.reason };
  return { ...nothing, judged, end };
}

/** The reason of a verdict that no probe could give. */
export function unknownReason(id: string, message: string): Reason {
  const hint = `If you know that it is gone, \`orch stop ${id} --presume-dead\` settles it.`;
  return { code: 'unknown', message, hint };
}

function endOf(root: string, id: string, pidFile: PidFile, fate: string): ForeignEnd {
  const stop = readStop(root, id);
  const hint = 'orch did not start it: start it again as you did before.';
  if (stop !== null && stop.at * 1000 >= pidFile.mtimeMs) {
    const message = 'it ended while a person was stopping it';
    return { status: 'stopped', reason: { code: 'stopped', message, hint } };
  }
  const message = `pid ${pidFile.pid} ${fate}, without a last word`;
  return { status: 'crashed', reason: { code: 'lost', message, hint } };
}

function staleFiles(root: string, id: string, pidFile: PidFile | null): StaleFile[] {
  const why = `the foreign worker ${id} has ended`;
  const files: StaleFile[] = [];
  if (pidFile !== null) files.push({ path: pidPath(root, id), why: `${why} (it names pid ${pidFile.pid})` });
  if (readHeartbeat(root, id) !== null) files.push({ path: heartbeatPath(root, id), why });
  if (readStop(root, id) !== null) files.push({ path: stopPath(root, id), why });
  return files;
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

/** The refusal of what orch does only to workers of its own. */
export function refuseForeign(id: string, hint: string): OrchError {
  return new OrchError('FOREIGN_WORKER', `${id} is a foreign worker: orch did not start it`, { hint });
}
