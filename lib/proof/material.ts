import { join } from 'node:path';
import { type Task, withDigests } from '../protocol/plan.ts';
import type { AskedWorkstream } from './evidence.ts';
import { type Random, randomOf } from './random.ts';

/** Plans whose tasks note all that they do; `scripts.ts` carries them out. Pure: a seed repeats a plan. */

/**
 * What a task does, in order. `write:PATH` (`%a` stands for the attempt); `pause:TENTHS`; `wait:NAME` until that file is in `aside`; `print:LINES`;
 * `commit`, `stray` (beside the branch), `drop` (and resets), `forge` (false trailers); `child`, `deaf-child`,
 * `daemon`, `bare` (no marks, a session of its own); `deaf` (ignores SIGTERM); `fail-once`, `fail`.
 */
type Move =
  | `write:${string}`
  | `pause:${number}`
  | `wait:${string}`
  | `print:${number}`
  | 'commit'
  | 'stray'
  | 'drop'
  | 'forge'
  | 'child'
  | 'deaf-child'
  | 'daemon'
  | 'bare'
  | 'deaf'
  | 'fail-once'
  | 'fail';

/** A workstream as a test asks for it. Each task also writes a file of its own, last of all. */
export type Wish = {
  id: string;
  tasks: Move[][];
  dependsOn?: string[];
  /** More fields of the plan. */
  fields?: Record<string, unknown>;
  /** The acceptance test that looks for the files of all tasks; true if not given. */
  isChecked?: boolean;
};

export type Planned = {
  /** What `orch.plan.json` says. */
  plan: { workstreams: Record<string, unknown>[] };
  asked: AskedWorkstream[];
};

/** The path that task `index` (from 1) of `id` writes last. */
export function nonceFileOf(id: string, index: number): string {
  return `src/${id}/task-${index}.txt`;
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The plan for what is wished; `aside` is the folder of the scripts. */
export function planOf(aside: string, wishes: readonly Wish[]): Planned {
  const made = wishes.map((wish) => planWish(aside, wish));
  return { plan: { workstreams: made.map(({ fields }) => fields) }, asked: made.map(({ asked }) => asked) };
}

function planWish(aside: string, wish: Wish): { fields: Record<string, unknown>; asked: AskedWorkstream } {
  const { id, tasks: moves, dependsOn = [], isChecked = true } = wish;
  const files = moves.map((_, at) => nonceFileOf(id, at + 1));
  const commands = moves.map((all, at) => {
    const words = [...all, `write:${files[at] ?? ''}`];
    return `sh ${quote(join(aside, 'task.sh'))} ${at + 1} ${words.join(' ')}`;
  });
  const tasks: (Task & { step: null })[] = commands.map((run) => {
    return { kind: 'run', run, timeoutMs: null, step: null };
  });
  const digests = withDigests(tasks).map(({ digest }) => digest);
  const check = `sh ${quote(join(aside, 'check.sh'))} 1 ${files.join(' ')}`;
  return {
    fields: {
      id,
      tasks: commands.map((run) => ({ run })),
      ...(isChecked ? { acceptance_tests: [{ run: check }] } : {}),
      ...(dependsOn.length > 0 ? { depends_on: dependsOn } : {}),
      ...wish.fields,
    },
    asked: {
      id,
      dependsOn,
      tasks: digests.map((digest, at) => ({ digest, nonceFile: files[at] ?? '' })),
      checks: isChecked ? 1 : 0,
    },
  };
}

export type WishOptions = {
  /** Of workstreams; 2 to 5 unless given. */
  workstreams?: readonly [number, number];
  /** Of each workstream; 1 to 4 unless given. */
  tasks?: readonly [number, number];
  /** Tenths of a second that a task takes at least; 1 to 8 unless given. */
  pauses?: readonly [number, number];
  /** Whether some tasks may fail for good. */
  failures?: boolean;
};

/** Random wishes; the same for the same seed and options. */
export function wishesOf(seed: number, options: WishOptions = {}): Wish[] {
  const random = randomOf(seed);
  const count = random.between(...(options.workstreams ?? [2, 5]));
  const wishes: Wish[] = [];
  for (let at = 0; at < count; at += 1) {
    const id = `W-${at + 1}`;
    const tasks = Array.from({ length: random.between(...(options.tasks ?? [1, 4])) }, (_, index) =>
      movesOf(random, id, index + 1, options),
    );
    const earlier = wishes.map((wish) => wish.id).filter(() => random.chance(25));
    wishes.push({
      id,
      tasks,
      dependsOn: earlier.slice(0, 2),
      isChecked: random.chance(90),
      ...(random.chance(30) ? { fields: { files_scope: [`src/${id}/`] } } : {}),
    });
  }
  return wishes;
}

const DEEDS = ['commit', 'stray', 'drop', 'forge', 'child', 'deaf-child', 'daemon', 'bare', 'deaf'] as const;

function movesOf(random: Random, id: string, index: number, options: WishOptions): Move[] {
  const moves: Move[] = [`write:src/${id}/begun-${index}.%a.txt`];
  if (random.chance(20)) moves.push(`write:outside/${id}-${index}.txt`);
  if (random.chance(30)) moves.push(`print:${random.between(1, 200)}`);
  for (let deeds = random.between(0, 2); deeds > 0; deeds -= 1) moves.push(random.pick(DEEDS));
  moves.push(`pause:${random.between(...(options.pauses ?? [1, 8]))}`);
  if (random.chance(30)) moves.push(`write:src/${id}/more-${index}.txt`, 'pause:1');
  if (options.failures === true && random.chance(4)) moves.push('fail');
  return moves;
}
