import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Enter, makeRepository, type Rig } from '../rig/repository.ts';
import { filesOf, furnish, noteFolder, SCENARIOS, type Scenario } from './scenarios.ts';
import { play } from './story.ts';

/** Which strikes there are: from the source, and from what traces show to be reachable. */

export type Strike = { scenario: string; role: string; name: string; mode: 'kill' | 'error'; pass: number };

/** `launch worker/store.record.renamed:kill:1` */
export const titleOf = ({ scenario, role, name, mode, pass }: Strike): string =>
  `${scenario} ${role}/${name}:${mode}:${pass}`;

export function parseStrike(title: string): Strike {
  const found = /^([\w-]+) ([\w-]+)\/([\w.-]+):(kill|error):(\d+)$/.exec(title);
  if (found === null) throw new Error(`no case: ${JSON.stringify(title)}`);
  const [, scenario = '', role = '', name = '', mode, pass] = found;
  return { scenario, role, name, mode: mode === 'kill' ? 'kill' : 'error', pass: Number(pass) };
}

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

const LIB = join(import.meta.dirname, '../../lib');

/** The names of all failpoints in the source: literals `room.thing.step` in files of that room, with `*` in them. */
export function namesInSource(): string[] {
  const names = new Set<string>();
  for (const entry of readdirSync(LIB, { recursive: true, encoding: 'utf8' })) {
    const [room = ''] = entry.split('/');
    if (!entry.endsWith('.ts') || room === entry) continue;
    const literal = new RegExp(`'(${room}\\.[a-z*-]+\\.[a-z-]+)'`, 'g');
    for (const [, name = ''] of readFileSync(join(LIB, entry), 'utf8').matchAll(literal)) names.add(name);
  }
  return [...names].sort();
}

/** How often each role passed each name, at most, in one process. */
export type Trace = Map<string, { role: string; name: string; most: number }>;

function readTrace(text: string): Trace {
  const passes = new Map<string, number>();
  const trace: Trace = new Map();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [role = '', name = ''] = line.split(' ');
    const count = (passes.get(line) ?? 0) + 1;
    passes.set(line, count);
    const key = `${role}/${name}`;
    trace.set(key, { role, name, most: Math.max(count, trace.get(key)?.most ?? 0) });
  }
  return trace;
}

/** Plays a scenario undisturbed and tells what was passed. */
export async function traceOf(scenario: Scenario, enter: Enter): Promise<Trace> {
  const rig: Rig = makeRepository(undefined, filesOf(scenario), enter);
  try {
    furnish(rig, scenario);
    const path = join(noteFolder(rig), 'trace');
    await play(rig, scenario, { env: { ORCH_FAILPOINT_TRACE: path }, isStruck: () => false });
    return readTrace(existsSync(path) ? readFileSync(path, 'utf8') : '');
  } finally {
    await rig.end();
  }
}

/**
 * For each role and place, in the first scenario that reaches it: killed at the first pass, and at the last one of
 * the trace; a failure at the first.
 */
export function strikesOf(traces: ReadonlyMap<Scenario, Trace>): Strike[] {
  const known = new Set<string>();
  const strikes: Strike[] = [];
  for (const [scenario, trace] of traces) {
    for (const [key, { role, name, most }] of [...trace].sort(([a], [b]) => a.localeCompare(b))) {
      if (!scenario.roles.includes(role) || known.has(key)) continue;
      known.add(key);
      const one = { scenario: scenario.name, role, name };
      strikes.push({ ...one, mode: 'kill', pass: 1 });
      if (most > 1) strikes.push({ ...one, mode: 'kill', pass: most });
      strikes.push({ ...one, mode: 'error', pass: 1 });
    }
  }
  return strikes;
}

/** `count` of them, chosen by a seed; the same seed chooses the same. */
export function sample<T>(all: readonly T[], count: number, seed: number): T[] {
  let state = seed >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const ranked = all.map((one, index) => ({ one, index, rank: random() }));
  ranked.sort((a, b) => a.rank - b.rank);
  return ranked
    .slice(0, count)
    .sort((a, b) => a.index - b.index)
    .map(({ one }) => one);
}

/** Those of part `2/5`: every fifth from the second on, so that each part has some of all scenarios. */
export function partOf<T>(all: readonly T[], part: string): T[] {
  const [, number, parts] = (/^(\d+)\/(\d+)$/.exec(part) ?? []).map(Number);
  if (number === undefined || parts === undefined || number < 1 || number > parts)
    throw new Error(`no part: ${JSON.stringify(part)}; expected something like 2/5`);
  return all.filter((_, index) => index % parts === number - 1);
}
