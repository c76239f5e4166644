import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { STATE_FOLDERS } from '../../lib/protocol/layout.ts';

/** Real processes for the tests of this room. Each is ended by its PID, whatever becomes of the test. */

const live = new Set<ChildProcess>();
const folders: string[] = [];

export type Program = {
  pid: number;
  /** The next line that it says; rejects if it ends or stays silent for 20 s. */
  line(): Promise<string>;
  tell(command: string): void;
  signal(name: NodeJS.Signals): void;
  /** How it ended: an exit code or a signal. */
  ended: Promise<number | NodeJS.Signals>;
  /** Everything it printed on stderr so far. */
  stderr(): string;
};

const SILENCE_MS = 20_000;

export function runProgram(name: string, args: readonly string[]): Program {
  const file = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  live.add(child);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} was not started`);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // It may be gone before a command reaches it; its end tells.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => {
      live.delete(child);
      resolve(code ?? signal ?? 'SIGKILL');
    });
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid,
    line: () =>
      within(
        SILENCE_MS,
        name,
        lines.next().then(({ value, done }) => (done ? failed(name, errors) : value)),
      ),
    tell: (command) => void child.stdin.write(`${command}\n`),
    signal: (signal) => void child.kill(signal),
    ended,
    stderr: () => errors,
  };
}

function failed(name: string, errors: string): never {
  throw new Error(`${name} ended instead of speaking: ${errors}`);
}

async function within<T>(ms: number, name: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} said nothing for ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'orch-store-'));
  folders.push(folder);
  return folder;
}

/** A root with its state folders. */
export function makeRoot(): string {
  const root = makeFolder();
  for (const name of STATE_FOLDERS) mkdirSync(join(root, name), { mode: 0o700 });
  return root;
}

/** For `afterEach`: nothing is left, neither process nor file. */
export async function endAll(): Promise<void> {
  const ends = [...live].map((child) => new Promise((resolve) => child.once('close', resolve)));
  for (const child of live) child.kill('SIGKILL');
  await Promise.all(ends);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
