import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

/** A temporary git repository with the built `orch` at hand. Everything it started is ended by `end`. */
export type Rig = {
  root: string;
  /** A folder outside of the repository: what tasks note there is in no commit and in no salvage. */
  aside: string;
  orch(args: readonly string[], options?: { cwd?: string; env?: Record<string, string> }): Promise<Finished>;
  /** Starts `orch` in a process group of its own and leaves it running; `told`: what is on its stderr so far. */
  start(
    args: readonly string[],
    env?: Record<string, string>,
  ): { pid: number; finished: Promise<Finished>; told: () => string };
  write(path: string, text: string): void;
  read(path: string): string;
  git(...args: string[]): string;
  record(id: string): Record<string, unknown>;
  status(id: string): unknown;
  pid(name: string): number;
  events(): Record<string, unknown>[];
  /** Live processes that carry this repository's mark, a notifier's among them, or orchestrate it. */
  processes(): { pid: number; command: string }[];
  end(): Promise<void>;
};

export type Finished = { code: number | null; stdout: string; stderr: string };

/** The built CLI; `ORCH_DIST` names the folder of another build of it. */
const DIST = process.env['ORCH_DIST'] ?? join(import.meta.dirname, '../../dist');

export const ORCH = join(DIST, 'orch.js');

/** The environment of a person's shell: nothing of orch, nothing of the test runner. */
export function personEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(ORCH_|GIT_|VITEST|NODE_OPTIONS|NODE_EXTRA_CA_CERTS)/.test(name))
      env[name] = value;
  }
  return { ...env, NO_COLOR: '1', ...extra };
}

/** What the `orch` of the repository at `root` is run by, such as a command that enters a namespace. */
export type Enter = (root: string) => readonly string[];

/** Makes a repository with `files` and, if given, the plan as `orch.plan.json`, all in one commit. */
export function makeRepository(
  plan?: unknown,
  files: Record<string, string> = { 'README.md': 'hello\n' },
  enter: Enter = () => [],
): Rig {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'orch-test-')));
  mkdirSync(`${root}.aside`);
  const rig = rigAt(root, DIST, enter);
  rig.git('init', '--quiet', '--initial-branch=main');
  for (const [path, text] of Object.entries(files)) rig.write(path, text);
  if (plan !== undefined) rig.write('orch.plan.json', JSON.stringify(plan, null, 1));
  rig.git('add', '--all');
  rig.git('commit', '--quiet', '--message=start');
  return rig;
}

/** The repository at `root`, with the CLI that was built in `dist` at hand; `end` removes it. */
export function rigAt(root: string, dist = DIST, enter: Enter = () => []): Rig {
  const aside = `${root}.aside`;
  const started = new Set<number>();
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', root, '-c', 'user.name=T', '-c', 'user.email=t@localhost', ...args], {
      encoding: 'utf8',
      env: personEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  const run = (args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) => {
    const [file, ...rest] = [...enter(root), process.execPath, join(dist, 'orch.js'), ...args];
    const child = execa(file ?? process.execPath, rest, {
      cwd: options.cwd ?? root,
      // Limits of accounts are a user's: those of a test are its own.
      env: personEnvironment({ ORCH_STATE_HOME: join(aside, 'state'), ...options.env }),
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
      detached: true,
    });
    const { pid } = child;
    if (pid === undefined) return child;
    started.add(pid);
    // Once it is gone, its number may be anybody's.
    child.once('exit', () => started.delete(pid));
    return child;
  };
  const finish = async (child: ReturnType<typeof run>): Promise<Finished> => {
    const { exitCode, stdout, stderr } = await child;
    return { code: exitCode ?? null, stdout, stderr };
  };
  const record = (id: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(root, '.status', `${id}.json`), 'utf8')) as Record<string, unknown>;

  return {
    root,
    aside,
    write,
    git,
    record,
    orch: (args, options) => finish(run(args, options)),
    start(args, env) {
      const child = run(args, env === undefined ? {} : { env });
      if (child.pid === undefined) throw new Error('orch did not start');
      let told = '';
      child.stderr?.on('data', (data) => {
        told += String(data);
      });
      return { pid: child.pid, finished: finish(child), told: () => told };
    },
    read: (path) => readFileSync(join(root, path), 'utf8'),
    status: (id) => {
      try {
        return record(id)['status'];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    pid: (name) => Number(readFileSync(join(root, '.pids', `${name}.pid`), 'utf8')),
    events: () => wholeLines(join(root, '.logs/_events.ndjson')).map((line) => JSON.parse(line)),
    processes: () => processesOf(root),
    end: () => endAll(root, started),
  };
}

function processesOf(root: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const environ = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      const orchestrates = command.includes('_orchestrate') && command.includes(root);
      // A zombie has neither command line nor environment.
      const isMarked = ['ORCH_ROOT', 'ORCH_NOTIFY_REPOSITORY'].some((name) =>
        environ.includes(`${name}=${root}`),
      );
      if (isMarked || orchestrates) found.push({ pid: Number(name), command });
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code ?? '';
      if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errno)) throw error;
    }
  }
  return found;
}

async function endAll(root: string, started: ReadonlySet<number>): Promise<void> {
  for (const pid of started) signal(pid, 'SIGKILL');
  await until(
    () => {
      const left = processesOf(root);
      for (const { pid } of left) signal(pid, 'SIGKILL');
      return left.length === 0;
    },
    { what: `the processes of ${root} to end` },
  );
  for (const folder of [root, `${root}.aside`])
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Sends a signal to a process that may be gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** True while a process lives; a zombie does not, once the last of its threads has ended too. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] !== 'Z' || Number(fields[17]) > 1;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** The lines of a file that somebody appends to; neither one that is half written, nor any where there is no file. */
export function wholeLines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

/** Waits until `condition` holds, at most 30 s unless told. */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { what: string; boundMs?: number },
): Promise<NonNullable<T>> {
  const bound = performance.now() + (options.boundMs ?? 30_000);
  for (;;) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (performance.now() > bound) throw new Error(`waited in vain for ${options.what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
