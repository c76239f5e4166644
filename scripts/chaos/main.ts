import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addTally, count, newTally, sum } from '../../lib/proof/chaos/tally.ts';
import { type Finished, runInSpace, stopRounds } from './lanes.ts';
import { KEPT } from './seeds.ts';
import { traceFailpoints } from './trace.ts';
import { ACTION_NAMES, decideWorld, WORLD_NAMES, worldOf } from './worlds.ts';

/**
 * `npm run chaos -- [--seed S] [--minutes M] [--rounds N] [--kills N] [--round R] [--only ACTION..] [--lanes N]
 * [--kept] [--keep] [--orch FILE] [--report FILE]`: random plans under random violence; see docs/guides/proof.md.
 * Last line: `N passed, N failed`, in rounds.
 */

const BUILT = fileURLToPath(new URL('../../dist/orch.js', import.meta.url));
const EVERY_MS = 5_000;

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    rounds: { type: 'string' },
    kills: { type: 'string' },
    round: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    lanes: { type: 'string', default: '3' },
    kept: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    orch: { type: 'string', default: BUILT },
    report: { type: 'string' },
  },
});

const number = (text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isNaN(value) || value < 0) throw new Error(`${text} is no number`);
  return value;
};

const seed = number(options.seed, Date.now() % 2 ** 31);
const only = options.only.flatMap((names) => names.split(','));
const unknown = only.find((name) => !ACTION_NAMES.includes(name));
if (unknown !== undefined)
  throw new Error(`no such action: ${unknown}; there are ${ACTION_NAMES.join(', ')}`);
if (!existsSync(options.orch)) throw new Error(`${options.orch} is missing: npm run build`);
// A copy: somebody may build anew in the hour that this takes.
const built = mkdtempSync(join(tmpdir(), 'orch-chaos-built-'));
cpSync(dirname(options.orch), built, { recursive: true });
const orch = join(built, basename(options.orch));

const stop = new AbortController();
process.on('exit', () => rmSync(built, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stop.abort();
    stopRounds();
  });
}

const failpoints = await traceFailpoints(orch, stop.signal);

type Wanted = { seed: number; round: number; only: readonly string[] };

const begun = performance.now();
const all = newTally();
const worlds: Record<string, number> = {};
const finished: Finished[] = [];
function* wanted(): Generator<Wanted> {
  if (options.kept) yield* KEPT;
  if (options.round !== undefined) return yield { seed, round: number(options.round, 0), only };
  const rounds = number(options.rounds, Number.POSITIVE_INFINITY);
  const kills = number(options.kills, Number.POSITIVE_INFINITY);
  const endMs = number(options.minutes, 5) * 60_000;
  const isOver = (): boolean => performance.now() - begun > endMs || sum(all.kills) >= kills;
  for (let round = 0; round < rounds && !isOver(); round += 1) yield { seed, round, only };
}

const repeat = (one: Wanted): string =>
  `npm run chaos -- --seed ${one.seed} --round ${one.round}${one.only.length > 0 ? ` --only ${one.only.join(',')}` : ''}`;

async function lane(queue: Generator<Wanted>): Promise<void> {
  for (const one of queue) {
    if (stop.signal.aborted) return;
    const world = decideWorld(one.seed, one.round, one.only);
    const lack = worldOf(world).lack();
    if (lack !== null) {
      process.stdout.write(`skipped round ${one.round} (${world}): ${lack}\n`);
      continue;
    }
    const found = await runInSpace({ ...one, world, orch, failpoints, keep: options.keep });
    if (stop.signal.aborted) return;
    finished.push(found);
    addTally(all, found.tally);
    count(worlds, world);
    if (found.faults.length > 0) tellFaults(one, found);
    else if (found.kept !== null) process.stdout.write(`kept: ${found.kept}\n`);
  }
}

function tellFaults(one: Wanted, { world, faults, kept }: Finished): void {
  process.stdout.write(`\nFAILED seed ${one.seed} round ${one.round} (${world})\n`);
  for (const { guarantee, what } of faults)
    process.stdout.write(`  guarantee ${guarantee ?? '-'}: ${what}\n`);
  process.stdout.write(`  kept:   ${kept}\n  repeat: ${repeat(one)}\n\n`);
}

const failed = (): Finished[] => finished.filter(({ faults }) => faults.length > 0);

function progress(): string {
  const minutes = (performance.now() - begun) / 60_000;
  const kills = sum(all.kills);
  return `${minutes.toFixed(1)} min  ${finished.length} rounds  ${kills} kills (${(kills / minutes).toFixed(0)} a minute)  ${failed().length} failed\n`;
}

function summary(): string {
  const total = (pick: (one: Finished) => number): number =>
    finished.reduce((sums, one) => sums + pick(one), 0);
  const listed = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, by]) => `${name} ${by}`)
      .join(', ');
  return [
    `seed ${seed}`,
    `rounds: ${finished.length} (${listed(worlds)})`,
    `kills: ${sum(all.kills)} (${listed(all.kills)})`,
    `deeds: ${listed(all.deeds)}`,
    `workstreams: ${total(({ workstreams }) => workstreams)}, attempts: ${total(({ attempts }) => attempts)}`,
    `records read: ${total(({ reads }) => reads)}`,
    `violations: ${total(({ faults }) => faults.length)}`,
  ].join('\n');
}

process.stdout.write(
  `chaos with seed ${seed}: worlds ${WORLD_NAMES.join(', ')}; ${failpoints.length} failpoints\n`,
);
const ticker = setInterval(() => process.stdout.write(progress()), EVERY_MS);
const queue = wanted();
await Promise.all(Array.from({ length: number(options.lanes, 3) }, () => lane(queue)));
clearInterval(ticker);
const numFailedTests = failed().length;
const numPassedTests = finished.length - numFailedTests;
const counts = { numPassedTests, numFailedTests, numPendingTests: 0, numTodoTests: 0 };
if (options.report !== undefined) {
  writeFileSync(options.report, JSON.stringify({ ...counts, seed, tally: all, worlds, rounds: finished }));
}
process.stdout.write(`\n${summary()}\n${numPassedTests} passed, ${numFailedTests} failed\n`);
process.exitCode = stop.signal.aborted ? 130 : numFailedTests > 0 || numPassedTests === 0 ? 1 : 0;
