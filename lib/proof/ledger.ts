/**
 * The ledger that the tasks themselves write, outside of the repository: one line, one append, so that the order of
 * the lines is the order of what happened, whatever clocks say.
 */

export const NOTES = [
  /** A run of a task begins. Detail: PID and start of its worker. */
  'start',
  /** Still there: at work, or a child of it. */
  'beat',
  /** A file is written and closed. Detail: path, nonce. */
  'wrote',
  /** A commit is made. Detail: its hash. */
  'committed',
  /** A child is there. Detail: its kind. */
  'forked',
  /** A process of an earlier attempt was alive when this run began. Detail: PID, token. */
  'overlap',
  /** The run failed because the plan says so. */
  'failed',
  /** The run came to its end. */
  'end',
  /** An acceptance test. Detail: its number, `pass` or `fail`. */
  'check',
] as const;

export type LedgerEntry = {
  /** Place in the file, from 0. */
  order: number;
  what: (typeof NOTES)[number];
  workstream: string;
  /** From 1; 0 for acceptance tests. */
  task: number;
  run: string;
  attempt: number;
  token: string;
  pid: number;
  /** Start of the process as in `/proc/PID/stat`; null where there is no `/proc`. */
  startTime: number | null;
  /** Seconds since boot, or Unix seconds where there is no `/proc`. It informs only. */
  uptime: number;
  detail: string[];
};

const FIELDS = 9;

/** The entries of a ledger. Lines that a full disk cut claim nothing and are passed over. */
export function parseLedger(text: string): LedgerEntry[] {
  return text.split('\n').flatMap((line, order) => {
    const entry = parseLine(line, order);
    return entry === null ? [] : [entry];
  });
}

function parseLine(line: string, order: number): LedgerEntry | null {
  const fields = line.split(' ');
  const [what, workstream = '', task, run = '', attempt, token = '', pid, startTime, uptime, ...detail] =
    fields;
  const known = NOTES.find((note) => note === what);
  if (known === undefined || fields.length < FIELDS) return null;
  const numbers = [task, attempt, pid, uptime].map(Number);
  if (numbers.some((number) => !Number.isFinite(number))) return null;
  return {
    order,
    what: known,
    workstream,
    task: Number(task),
    run,
    attempt: Number(attempt),
    token,
    pid: Number(pid),
    startTime: startTime === '-' ? null : Number(startTime),
    uptime: Number(uptime),
    detail,
  };
}

/** One execution of a task. */
export type TaskRun = {
  workstream: string;
  task: number;
  attempt: number;
  token: string;
  pid: number;
  order: number;
  /** It came to its own end; false: cut off, or it failed. */
  ended: boolean;
  /** Place of that note in the ledger. */
  endedAt: number | null;
  failed: boolean;
  /** In order; a later nonce in a file replaces an earlier one. */
  wrote: Map<string, string>;
};

/** All executions, in the order in which they began. */
export function taskRuns(ledger: readonly LedgerEntry[]): TaskRun[] {
  const runs: TaskRun[] = [];
  for (const entry of ledger) {
    const { workstream, task, attempt, token, pid, order } = entry;
    const run = { workstream, task, attempt, token, pid, order };
    if (entry.what === 'start')
      runs.push({ ...run, ended: false, endedAt: null, failed: false, wrote: new Map() });
    const own = runs.findLast((one) => one.token === token && one.task === task && one.pid === pid);
    if (own === undefined) continue;
    if (entry.what === 'end') Object.assign(own, { ended: true, endedAt: order });
    if (entry.what === 'failed') own.failed = true;
    const [path, nonce] = entry.detail;
    if (entry.what === 'wrote' && path !== undefined && nonce !== undefined) own.wrote.set(path, nonce);
  }
  return runs;
}
