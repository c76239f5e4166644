import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { identify } from '../../lib/process/identity.ts';
import { signalVerified } from '../../lib/process/kill.ts';
import { findKin, type Kin, type WorkerTrace } from '../../lib/process/kin.ts';
import { createToken, isSameStart, listProcesses, probe } from '../../lib/process/system.ts';
import { worktreePath } from '../../lib/protocol/layout.ts';
import type { Identity } from '../../lib/protocol/status.ts';

const programs = fileURLToPath(new URL('../fixtures/programs', import.meta.url));
export const program = (name: string): string => join(programs, name);

/** Resolves with the first value of `look` that is not null or false; fails by name after the bound. */
export async function eventually<T>(
  what: string,
  look: () => T | null | false | Promise<T | null | false>,
  boundMs = 30_000,
): Promise<T> {
  for (const end = performance.now() + boundMs; performance.now() < end; ) {
    const value = await look();
    if (value !== null && value !== false && !Number.isNaN(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not within ${boundMs} ms: ${what}`);
}

/** By pid; start times are in the unit of the backend that was in use. */
const started = new Map<number, { startTime: number; forced: string | undefined }>();
const folders: string[] = [];

/** Notes a process that a test started, so that `endAll` ends exactly it. */
export async function track(pid: number): Promise<number> {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`no pid to track: ${pid}`);
  const info = await probe(pid);
  if (info !== 'gone' && info !== 'unknown') {
    started.set(pid, { startTime: info.startTime, forced: process.env['ORCH_PROCESS_BACKEND'] });
  }
  return pid;
}

function force(kind: string | undefined): void {
  if (kind === undefined) delete process.env['ORCH_PROCESS_BACKEND'];
  else process.env['ORCH_PROCESS_BACKEND'] = kind;
}

/** Ends what was tracked, and leaves the default backend. */
export async function endAll(): Promise<void> {
  for (const [pid, { startTime, forced }] of started) {
    force(forced);
    await signalVerified(pid, startTime, 'SIGKILL');
    await eventually(`the end of ${pid}`, async () => {
      const info = await probe(pid);
      return info === 'gone' || (info !== 'unknown' && !isSameStart(info.startTime, startTime));
    });
  }
  force(undefined);
  started.clear();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function makeFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'orch-process-')));
  folders.push(folder);
  return folder;
}

export async function start(
  file: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<ChildProcess & { pid: number }> {
  const child = spawn(file, args, { stdio: 'ignore', ...options });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} was not started`);
  await track(pid);
  return Object.assign(child, { pid });
}

/** The number in a pid file that a program writes once it is up. */
export async function pidIn(path: string): Promise<number> {
  return track(
    await eventually(`a pid in ${path}`, () => {
      const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
      return /^\d+/.test(text) && Number.parseInt(text, 10);
    }),
  );
}

export type TestWorker = {
  pid: number;
  token: string;
  identity: Identity;
  trace: WorkerTrace;
  env: Record<string, string>;
};

/** What each tool of a worker is in the end; see the fixtures. */
const TOOL = 'sleep 120';

/**
 * Starts a worker that starts `tools`, each a fixture that writes `<folder>/<name>`; waits for their pids, and until
 * the shells that started them are over: whoever counts what is left of the worker counts the tools alone.
 */
export async function startWorker(
  root: string,
  id: string,
  tools: readonly string[],
  env: Record<string, string> = {},
): Promise<TestWorker & { tools: Map<string, number> }> {
  const worktree = worktreePath(root, id);
  mkdirSync(worktree, { recursive: true });
  const token = createToken();
  const pids = join(root, `pids-${token}`);
  mkdirSync(pids);
  const marks = { ORCH_ROOT: root, ORCH_WORKSTREAM: id, ORCH_RUN: 'r', ORCH_ATTEMPT: '1', ORCH_TOKEN: token };
  const path = process.env['PATH'] ?? '';
  const PROGRAMS = JSON.stringify(tools.map((name) => ['sh', program(name), join(pids, name)]));
  const child = await start(process.execPath, [program('worker.mjs'), id, '1', token], {
    cwd: worktree,
    detached: true,
    env: { PATH: path, PROGRAMS, ...env, ...marks },
  });
  const identity = await identify(child.pid, token);
  if (identity === null) throw new Error('the worker ended at once');
  const found = new Map<string, number>();
  for (const name of tools) found.set(name, await pidIn(join(pids, name)));
  const own = new Set(found.values());
  await eventually(`the tools of ${id} alone`, async () => {
    const all = (await listProcesses()).filter(({ zombie }) => !zombie);
    return all.every(({ pid, ppid, command }) => (own.has(pid) ? command === TOOL : ppid !== child.pid));
  });
  const trace = { id, pid: child.pid, identity, worktree, lastSignAt: Date.now() / 1_000 };
  return { pid: child.pid, token, identity, trace, env: { PATH: path, ...marks }, tools: found };
}

export async function kinOf(root: string, traces: readonly WorkerTrace[]): Promise<Map<number, Kin>> {
  const { kin } = await findKin(root, traces);
  return new Map(kin.map((one) => [one.pid, one]));
}

export async function isGone(pid: number): Promise<boolean> {
  return (await probe(pid)) === 'gone';
}

/** Kills with SIGKILL, and waits until it is gone. */
export async function kill(pid: number): Promise<void> {
  if (pid > 1) process.kill(pid, 'SIGKILL');
  await eventually(`the end of ${pid}`, () => isGone(pid));
}

/** Bundles modules of lib for programs that plain node runs; the paths of the results. */
export async function bundle(folder: string, ...names: string[]): Promise<Record<string, string>> {
  const input = Object.fromEntries(
    names.map((name) => [name, fileURLToPath(new URL(`../../lib/process/${name}.ts`, import.meta.url))]),
  );
  await build({
    input,
    platform: 'node',
    logLevel: 'silent',
    output: { dir: folder, format: 'esm', entryFileNames: '[name].mjs' },
  });
  return Object.fromEntries(names.map((name) => [name, join(folder, `${name}.mjs`)]));
}
