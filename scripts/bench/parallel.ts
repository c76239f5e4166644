import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeRepository, orch } from './repository.ts';

/**
 * Three workstreams of some seconds each, at once and one after the other, in the same run: what is lost to starting,
 * watching and ending them. `longest` is the longest life of a worker, by its record.
 */

const COUNT = 3;
const WALL_MAX = 1.1;
const SPEED_UP_MIN = 2.7;

const WAYS = [
  ['one after the other', ['run', '--max-parallel', '1']],
  ['attached', ['run', '--max-parallel', String(COUNT)]],
  ['detached', ['run', '--detached', '--wait', '--max-parallel', String(COUNT)]],
] as const;

function measure(args: readonly string[], seconds: number): { wall: number; longest: number; first: number } {
  const root = makeRepository(COUNT, `sleep ${seconds}`);
  const begunAt = Date.now() / 1000;
  const begun = performance.now();
  orch(root, ...args);
  const wall = (performance.now() - begun) / 1000;
  const records = Array.from({ length: COUNT }, (_, index) => {
    const text = readFileSync(join(root, `.status/WS-${index + 1}.json`), 'utf8');
    return JSON.parse(text) as { status: string; started_at: number; ended_at: number };
  });
  if (records.some(({ status }) => status !== 'completed')) throw new Error('not all are completed');
  rmSync(root, { recursive: true, force: true });
  return {
    wall,
    longest: Math.max(...records.map(({ started_at, ended_at }) => ended_at - started_at)),
    first: Math.max(...records.map(({ started_at }) => started_at)) - begunAt,
  };
}

/** Prints the figures; false where they miss what is promised. */
export function benchParallel(seconds: number): boolean {
  let serial = Number.NaN;
  let isMet = true;
  for (const [name, args] of WAYS) {
    const { wall, longest, first } = measure(args, seconds);
    if (name === WAYS[0][0]) {
      serial = wall;
      console.log(`${COUNT} workstreams of ${seconds} s, ${name}: ${wall.toFixed(1)} s`);
      continue;
    }
    const ratio = wall / longest;
    const speedUp = serial / wall;
    console.log(
      `${COUNT} workstreams of ${seconds} s, ${name}: ${wall.toFixed(1)} s, ${ratio.toFixed(2)} x the longest (${longest.toFixed(1)} s), speed-up ${speedUp.toFixed(2)}; the last worker was there after ${first.toFixed(1)} s`,
    );
    isMet &&= ratio <= WALL_MAX && speedUp >= SPEED_UP_MIN;
  }
  console.log(`at most ${WALL_MAX} x and a speed-up of ${SPEED_UP_MIN}: ${isMet ? 'met' : 'missed'}`);
  return isMet;
}
