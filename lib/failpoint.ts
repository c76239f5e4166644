import { appendFileSync, closeSync, openSync } from 'node:fs';

/**
 * Named places in the code where a test may kill the process, make an operation fail, or hold it up. Off unless
 * the environment asks; a call then costs one comparison. See docs/architecture.md.
 *
 * - `ORCH_FAILPOINT=[ROLE/]NAME:kill|error|delay[:n]`: at the n-th pass of NAME in a process (the first) it dies by
 *   SIGKILL, or the operation fails with EIO; `delay` holds each pass up by n milliseconds (1000). ROLE limits it to
 *   one kind of process: `worker`, or the verb of the command (`_orchestrate` is the background orchestrator).
 * - `ORCH_FAILPOINT_ONCE=FILE`: only the process that creates FILE dies or fails, so that what recovers lives.
 * - `ORCH_FAILPOINT_TRACE=FILE`: each pass appends a line `ROLE NAME PID` to FILE.
 */

const asked = process.env['ORCH_FAILPOINT'];
const trace = process.env['ORCH_FAILPOINT_TRACE'];
const isArmed = asked !== undefined || trace !== undefined;

type Mode = 'kill' | 'error' | 'delay';
type Order = { role: string | null; name: string; mode: Mode; n: number | null };

const FORM = /^(?:([\w-]+)\/)?([\w.-]+):(kill|error|delay)(?::(\d+))?$/;
const DELAY_MS = 1_000;

let role = 'unnamed';
const passes = new Map<string, number>();

function parseOrder(text: string): Order {
  const found = FORM.exec(text);
  if (found === null) {
    throw new Error(`ORCH_FAILPOINT must be [ROLE/]NAME:kill|error|delay[:n], not ${JSON.stringify(text)}`);
  }
  const [, of = null, name = '', mode, n] = found;
  return { role: of, name, mode: mode as Mode, n: n === undefined ? null : Number(n) };
}

const order = asked === undefined ? null : parseOrder(asked);

/** Says what kind of process this is, for failpoints that are meant for one kind only. */
export function playRole(name: string): void {
  role = name;
}

/**
 * One pass of a place. Its name is `room.thing.step`, where `*` stands for `kind`: which file, lock, git command or
 * action it is this time.
 * @throws Error with the code EIO if that was asked for.
 */
export function failpoint(place: string, kind = ''): void {
  if (!isArmed) return;
  const name = place.replace('*', kind);
  if (trace !== undefined) appendFileSync(trace, `${role} ${name} ${process.pid}\n`);
  if (order === null || order.name !== name || (order.role !== null && order.role !== role)) return;
  const pass = (passes.get(name) ?? 0) + 1;
  passes.set(name, pass);
  if (order.mode === 'delay') hold(order.n ?? DELAY_MS);
  else if (pass === (order.n ?? 1) && claim()) strike(order.mode, name);
}

/** The whole process stands still, as one that the scheduler forgot. */
function hold(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function strike(mode: 'kill' | 'error', name: string): void {
  if (mode === 'kill') process.kill(process.pid, 'SIGKILL');
  throw Object.assign(new Error(`failpoint ${name}`), { code: 'EIO' });
}

/** Of all processes, the first alone. */
function claim(): boolean {
  const path = process.env['ORCH_FAILPOINT_ONCE'];
  if (path === undefined) return true;
  try {
    closeSync(openSync(path, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
