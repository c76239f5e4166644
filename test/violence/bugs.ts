import type { Guarantee } from '../../lib/proof/evidence.ts';
import type { PLOTS } from './plots.ts';
import type { Patch } from './sabotage.ts';

/** A safeguard that is taken out, the plot in which that shows, and the guarantee that is then broken. */
export type Bug = { name: string; patches: Patch[]; plot: keyof typeof PLOTS; guarantee: Guarantee };

const one = (file: string, find: string, replace: string): Patch[] => [{ file, find, replace }];

export const BUGS: readonly Bug[] = [
  {
    name: 'no gate: the child runs at once',
    patches: one('lib/process/gate.ts', 'const byte = readByte();', 'const byte = GATE_BYTE.detached;'),
    plot: 'launcher dies',
    guarantee: 1,
  },
  {
    name: 'no token check: the lease compares run and attempt alone',
    patches: one('lib/store/records.ts', ' && now.token === lease.token;', ';'),
    plot: 'wakes up',
    guarantee: 1,
  },
  {
    name: 'no lease at all: whoever writes may write',
    patches: one(
      'lib/store/records.ts',
      'return now.run === lease.run && now.attempt === lease.attempt && now.token === lease.token;',
      'return now !== lease;',
    ),
    plot: 'wakes up',
    guarantee: 1,
  },
  {
    name: 'no fsync of files',
    patches: one('lib/store/durable.ts', 'fsync: true', 'fsync: false'),
    plot: 'power cut',
    guarantee: 6,
  },
  {
    name: 'no fsync of folders',
    patches: one('lib/store/durable.ts', '    await syncFolder(dirname(path));\n', ''),
    plot: 'power cut',
    guarantee: 6,
  },
  {
    name: 'no fsync by git',
    patches: one('lib/git/run.ts', 'core.fsync=committed,loose-object,reference', 'core.fsync=none'),
    plot: 'power cut',
    guarantee: 6,
  },
  {
    name: 'no lease lock: every record lock is granted',
    patches: one(
      'lib/store/lock.ts',
      '    const release = await takeLock(path, { boundMs });\n',
      "    const release = path.endsWith('_git.lock') ? await takeLock(path, { boundMs }) : async () => undefined;\n",
    ),
    plot: 'word twice',
    guarantee: 1,
  },
  {
    name: 'no role lock: whoever wants to orchestrate does',
    patches: one(
      'lib/store/role.ts',
      'const release = await takeLock(',
      'const release = await (async (..._: unknown[]) => async () => undefined)(',
    ),
    plot: 'two orchestrators',
    guarantee: 1,
  },
  {
    name: 'no second look before a signal',
    patches: one(
      'lib/process/kill.ts',
      "    if (!isStill(fd, startTime) || !isStill(fd, startTime)) return 'gone';\n",
      '',
    ),
    plot: 'recycled',
    guarantee: 5,
  },
  {
    name: 'a zombie counts as alive',
    patches: one(
      'lib/process/proc.ts',
      "return stat.state === 'X' || stat.state === 'x' || (stat.state === 'Z' && stat.threads <= 1);",
      'return stat.state === "X";',
    ),
    plot: 'zombies',
    guarantee: 2,
  },
  {
    name: 'the record tells of a checkpoint before it is made',
    patches: one(
      'lib/worker/save-task.ts',
      'const { head, state } = await saveTask(attempt, done);',
      "await attempt.reporter.progress({ progress: '1/1' });\n  failpoint('worker.checkpoint.made');\n  const { head, state } = await saveTask(attempt, done);",
    ),
    plot: 'dies with its checkpoint',
    guarantee: 3,
  },
  {
    name: 'the PID file goes before the last word',
    patches: one(
      'lib/worker/main.ts',
      "  failpoint('worker.word.before');\n",
      "  removeSigns(attempt);\n  failpoint('worker.word.before');\n",
    ),
    plot: 'dies before its last word',
    guarantee: 8,
  },
  {
    name: 'no salvage before a reset',
    patches: one(
      'lib/git/worktree.ts',
      'const salvaged = await salvage({\n    root,',
      'const salvaged = await (async (_: unknown): Promise<string | null> => null)({\n    root,',
    ),
    plot: 'cut off',
    guarantee: 7,
  },
  {
    name: 'unknown is taken for dead',
    patches: one(
      'lib/process/identity.ts',
      "return place === 'elsewhere' ? 'unknown' : 'dead';",
      "return 'dead';",
    ),
    plot: 'elsewhere',
    guarantee: 5,
  },
  {
    name: 'an error while looking is taken for gone',
    patches: one(
      'lib/process/system.ts',
      "an error is not evidence of absence.\n    return 'unknown';",
      "an error is not evidence of absence.\n    return 'gone';",
    ),
    plot: 'cannot look',
    guarantee: 5,
  },
];
