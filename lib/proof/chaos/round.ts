import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WishOptions, wishesOf } from '../material.ts';
import { randomOf } from '../random.ts';
import { watch } from '../watch.ts';
import { makeWorkshop, releaseChildren } from '../workshop.ts';
import { type Action, scheduleOf } from './action.ts';
import { placeBystanders } from './bystanders.ts';
import { personEnvironment, startCommand } from './command.ts';
import { endOurs, listOurs, ROUND_MARK } from './processes.ts';
import { ENDINGS, endAll, finish, recover } from './recover.ts';
import { seedOf } from './seed.ts';
import { later, type Stage } from './stage.ts';
import { newTally, type Tally } from './tally.ts';
import { type Fault, type Judged, judgeRound, lookBefore } from './verdict.ts';

export type RoundOptions = {
  seed: number;
  round: number;
  orch: string;
  actions: readonly Action[];
  /** Of these each comes at least once, in any case. */
  once?: readonly Action[];
  /** Prepares the stage before anything is launched: mounts, namespaces. */
  prepare?: (stage: Stage) => void | Promise<void>;
  /** The folder is kept whatever comes out. */
  keep?: boolean;
  /** Once aborted the violence is over; recovery and judgement follow. */
  over?: AbortSignal;
  /** Ends the round, which is not judged then. */
  signal?: AbortSignal;
};

export type RoundReport = {
  round: number;
  seconds: number;
  tally: Tally;
  workstreams: number;
  attempts: number;
  reads: number;
  /** By guarantee, how many facts it was decided on. */
  checks: Record<number, number>;
  faults: Fault[];
  /** Where the repository and its logs are kept; null: removed. */
  kept: string | null;
};

/** The decisions of a round: the plan, how it is launched, what happens to it, how it ends. */
function decideRound(options: Pick<RoundOptions, 'seed' | 'round' | 'actions' | 'once'>) {
  const seed = seedOf(options.seed, options.round);
  const random = randomOf(seedOf(seed, 'round'));
  const hasFailures = random.chance(25);
  const size: WishOptions = {
    workstreams: random.chance(20) ? [6, 8] : [1, 5],
    tasks: [1, 3],
    pauses: [1, 4],
    failures: hasFailures,
  };
  const wishes = wishesOf(seedOf(seed, 'plan'), size);
  const ids = wishes.map(({ id }) => id);
  const config = {
    max_parallel: random.between(1, 4),
    restart: random.pick([0, 2, 2, 3, 6]),
    containment: random.pick(['auto', 'sweep']),
    heartbeat_interval: random.pick(['200ms', '1s', '5s']),
    stop_grace: random.pick(['500ms', '2s', '10s']),
  };
  const first = random.pick(['launch', 'launch', 'launch', 'run']);
  const { actions, once = [] } = options;
  const steps = scheduleOf(randomOf(seedOf(seed, 'schedule')), ids, actions, once);
  const ending = random.pick(ENDINGS);
  const isFinished = !hasFailures && random.chance(40);
  return { wishes, ids, config, first, isWarm: random.chance(70), steps, ending, isFinished };
}

/** One round: a repository, a plan, violence, one recovery, and whether the guarantees held. */
export async function runRound(options: RoundOptions): Promise<RoundReport> {
  const begun = performance.now();
  const decided = decideRound(options);
  const mark = randomBytes(8).toString('hex');
  const folder = join(realpathSync(tmpdir()), `orch-chaos-${mark}`);
  mkdirSync(folder, { mode: 0o700 });
  const stage = makeStage(options, folder, mark, decided);
  const cut = (): void => later(stage, endOurs(mark));
  options.signal?.addEventListener('abort', cut);
  let faults: Fault[] = [];
  let reads = 0;
  let judged: Judged | null = null;
  try {
    writeFileSync(join(stage.shop.root, 'orch.config.json'), JSON.stringify(decided.config));
    await options.prepare?.(stage);
    await placeBystanders(stage);
    const before = await lookBefore(stage);
    const watcher = watch(stage.shop.root, stage.ids, {
      isPlanted: (text) => stage.planted.has(text),
      recordsEveryMs: RECORDS_EVERY_MS,
      processesEveryMs: PROCESSES_EVERY_MS,
    });
    try {
      await commit(stage, decided, options.over);
      await recover(stage, decided.ending);
      if (decided.isFinished && options.over?.aborted !== true) await finish(stage);
      const seen = await watcher.stop();
      reads = seen.looks.records * stage.ids.length;
      judged = await judgeRound(stage, { before, seen, restartLimit: decided.config.restart });
      faults = [...stage.seen, ...judged.faults];
    } finally {
      await watcher.stop();
    }
  } catch (error) {
    faults.push({
      guarantee: null,
      what: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  } finally {
    options.signal?.removeEventListener('abort', cut);
    await tidy(stage);
  }
  // What was cut off broke nothing.
  if (options.signal?.aborted === true) faults = [];
  const isKept = options.keep === true || faults.length > 0;
  for (const { guarantee, what } of faults) stage.note(`FAULT ${guarantee ?? '-'}: ${what}`);
  if (!isKept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  return {
    round: options.round,
    seconds: (performance.now() - begun) / 1_000,
    tally: stage.tally,
    workstreams: stage.ids.length,
    attempts: judged?.attempts ?? 0,
    reads,
    checks: judged?.checks ?? {},
    faults,
    kept: isKept ? folder : null,
  };
}

type Decided = ReturnType<typeof decideRound>;

function makeStage(options: RoundOptions, folder: string, mark: string, { wishes, ids }: Decided): Stage {
  const logs = join(folder, 'commands');
  mkdirSync(logs);
  const begun = performance.now();
  return {
    mark,
    shop: makeWorkshop(wishes, folder),
    ids,
    orch: options.orch,
    env: { ...personEnvironment(), [ROUND_MARK]: mark },
    logs,
    commands: [],
    signal: options.signal ?? null,
    tally: newTally(),
    excuses: [],
    planted: new Set(),
    pending: new Set(),
    undo: [],
    cleanup: [],
    frozen: new Map(),
    bystanders: new Set(),
    seen: [],
    note: (text) => {
      const at = ((performance.now() - begun) / 1_000).toFixed(3).padStart(8);
      if (existsSync(folder)) appendFileSync(join(folder, 'round.log'), `${at} ${text}\n`);
    },
  };
}

/** The violence itself. */
async function commit(
  stage: Stage,
  { first, isWarm, steps }: Decided,
  over: AbortSignal | undefined,
): Promise<void> {
  startCommand(stage, [first]);
  // Killed at once, again and again, few plans would ever begin.
  if (isWarm) await untilAtWork(stage);
  for (const step of steps) {
    if (over?.aborted === true) return;
    await sleep(step.afterMs);
    stage.note(`- ${step.name}: ${step.what}`);
    await step.run(stage);
  }
}

/** Often enough to meet a torn record, seldom enough to leave the machine to the round. */
const RECORDS_EVERY_MS = 20;
const PROCESSES_EVERY_MS = 500;
const WARM_UP_MS = 15_000;

async function untilAtWork(stage: Stage): Promise<void> {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; await sleep(50)) {
    if ((await listOurs(stage.mark)).some(({ role }) => role === 'tool')) return;
  }
}

async function tidy(stage: Stage): Promise<void> {
  releaseChildren(stage.shop);
  for (const undo of stage.undo.splice(0).reverse()) await undo();
  await endAll(stage);
  for (const undo of stage.cleanup.splice(0).reverse()) await undo();
}
