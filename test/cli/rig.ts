import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { identify } from '../../lib/process/identity.ts';
import { createToken } from '../../lib/process/system.ts';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { heartbeatPath, pidPath, recordPath, STATE_FOLDERS } from '../../lib/protocol/layout.ts';
import { DEFAULT_OPTIONS, type FrozenPlan } from '../../lib/protocol/plan.ts';
import type { Identity } from '../../lib/protocol/status.ts';
import { writeDurably } from '../../lib/store/durable.ts';
import { writePlan } from '../../lib/store/plans.ts';
import { readRecord } from '../../lib/store/records.ts';
import { plainRecord } from '../protocol/arbitraries.ts';

/** Roots with records in every state, and live processes as their workers. All is gone after `endAll`. */

const BOUND_MS = 30_000;
const live = new Set<ChildProcess>();
const folders: string[] = [];

export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'orch-cli-'));
  folders.push(folder);
  return folder;
}

/** A folder that looks like a repository with state. */
export function makeRoot(): string {
  const root = makeFolder();
  for (const name of ['.git', ...STATE_FOLDERS]) mkdirSync(join(root, name), { mode: 0o700 });
  return root;
}

export async function endAll(): Promise<void> {
  const ends = [...live].map((child) => new Promise((resolve) => child.once('close', resolve)));
  for (const child of live) child.kill('SIGKILL');
  await Promise.all(ends);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export async function until<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const bound = performance.now() + BOUND_MS;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > bound) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export type Worker = { pid: number; identity: Identity; end: () => Promise<void> };

/** A live process that bears a launch token, as a worker does. */
export async function startWorker(): Promise<Worker> {
  const token = createToken();
  const env = { ...process.env, ORCH_TOKEN: token };
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore', env });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      live.delete(child);
      resolve();
    });
  });
  live.add(child);
  const { pid } = child;
  if (pid === undefined) throw new Error('no worker was started');
  const identity = await identify(pid, token);
  if (identity === null) throw new Error('the worker ended at once');
  return {
    pid,
    identity,
    end: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The fields of a record of a worker. */
export const workedOn = ({ pid, identity }: Worker, status = 'running') => ({
  status,
  pid,
  identity,
  attempt: 1,
});
export const completed = {
  status: 'completed',
  exit_code: 0,
  head: 'a'.repeat(40),
  progress: '1/1',
  attempt: 1,
};
export const failed = {
  status: 'failed',
  exit_code: 1,
  attempt: 1,
  reason: { code: 'tests_failed', message: 'npm test failed', hint: 'Look at the log.' },
};

/** A record that was written now. */
export const recordText = (id: string, changes: Record<string, unknown> = {}): string =>
  encodeRecord(plainRecord({ workstream: id, last_update: Date.now() / 1000, ...changes }));

/** Writes a record as the store does: a reader sees the old one or the new one. */
export async function putRecord(
  root: string,
  id: string,
  changes: Record<string, unknown> = {},
): Promise<void> {
  await writeDurably(recordPath(root, id), recordText(id, changes));
  expect(readRecord(root, id)).toMatchObject({ kind: 'record' });
}

export function putForeign(root: string, id: string, record: Record<string, unknown>, pid?: number): void {
  writeFileSync(recordPath(root, id), JSON.stringify(record));
  if (pid !== undefined) writeFileSync(pidPath(root, id), `${pid}\n`);
}

export function putHeartbeat(root: string, id: string, ageSeconds: number): void {
  writeFileSync(heartbeatPath(root, id), '1\n');
  const at = Date.now() / 1000 - ageSeconds;
  utimesSync(heartbeatPath(root, id), at, at);
}

/** Freezes a plan of workstreams in the order given: id, or id and what it depends on. */
export async function putPlan(root: string, ids: readonly (string | [string, string[]])[]): Promise<void> {
  const workstreams = ids.map((one) => {
    const [id, depends_on] = typeof one === 'string' ? [one, []] : one;
    const task = { kind: 'run', run: 'true', timeoutMs: null, digest: 'd', step: null };
    const none = { files_scope: [], files_create: [], setup: [], copy: [], env: {}, tool: null };
    const times = { timeoutMs: null, taskTimeoutMs: null };
    const texts = { title: id, definition: 'd', source: 'plan.json:1' };
    return { id, ...texts, ...none, ...times, tasks: [task], checks: [], depends_on, priority: 1 };
  });
  const plan = {
    schema: 'orch.plan-frozen/1',
    run: 'run-1',
    created_at: 1,
    base: 'b'.repeat(40),
    mode: 'detached',
  };
  await writePlan(root, { ...plan, options: DEFAULT_OPTIONS, workstreams } as unknown as FrozenPlan);
}

export type Running = {
  pid: number;
  stdout: () => string;
  stderr: () => string;
  signal: (name: NodeJS.Signals) => void;
  type: (text: string) => void;
  code: Promise<number | NodeJS.Signals | null>;
};

/** Starts a program; its output is collected. */
export function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Running {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  live.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined);
  const code = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (exit, signal) => {
      live.delete(child);
      resolve(exit ?? signal);
    });
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    signal: (name) => void child.kill(name),
    type: (text) => void child.stdin.write(text),
    code,
  };
}

/**
 * Waits until a process handles Ctrl+C, which it does not from its first moment on. Node itself catches SIGINT and
 * SIGTERM before, to end: SIGHUP, the last that a command listens to, tells.
 */
export async function untilHandlesInterrupt(pid: number): Promise<void> {
  const SIGHUP_BIT = 1n;
  await until('it to handle Ctrl+C', () => {
    const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return (BigInt(`0x${caught ?? '0'}`) & SIGHUP_BIT) !== 0n;
  });
}
