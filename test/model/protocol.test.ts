import { describe, expect, it } from 'vitest';
import { type LockPart, lockMachine } from './lock.ts';
import { protocolMachine } from './protocol.ts';
import { type Found, search } from './search.ts';
import type { Part, Setup } from './state.ts';

/**
 * All interleavings of the protocol, with two orchestrators, a launcher, a person, and workers of two attempts of one
 * workstream. Each part of it is also left out once, and must then be missed.
 */

const WHOLE: Setup = { commands: [], restart: 1, crashesMax: 2, launch: false, reaper: false, without: null };

const BESIDE_REAP: Setup = { ...WHOLE, reaper: true, restart: 0, crashesMax: 0 };

const WORLDS: [string, Setup][] = [
  ['launch, crash and restart', { ...WHOLE, launch: true }],
  ['a stop, two faults', { ...WHOLE, commands: ['stop'], restart: 0 }],
  ['a stop that meets a restart', { ...WHOLE, commands: ['stop'], crashesMax: 1 }],
  ['a retry, two faults', { ...WHOLE, commands: ['retry'], restart: 0 }],
  ['a stop and a retry', { ...WHOLE, commands: ['stop', 'retry'], restart: 0, crashesMax: 1 }],
  ['stop, retry, stop', { ...WHOLE, commands: ['stop', 'retry', 'stop'], restart: 0, crashesMax: 0 }],
  ['a stop and a retry beside a reap', { ...BESIDE_REAP, commands: ['stop', 'retry'] }],
];

const LEFT_OUT: [Part, Partial<Setup>, string][] = [
  ['gate', {}, 'a worker is at work that no record names'],
  ['token', {}, 'a stranger was killed'],
  ['record lock', { commands: ['stop'] }, 'attempt 1 was launched after a person had stopped it'],
  ['role lock', { launch: true }, 'two orchestrators act at once'],
  ['re-read', {}, 'completed is final and was made crashed by the settler'],
  ['fsync', {}, 'attempt 1 has begun twice'],
  ['word before PID file', {}, 'its PID file is gone, and attempt 1 has no last word'],
  ['last look', { commands: ['retry'], restart: 0 }, 'work is left, and nobody will do it'],
  [
    'stop word under the lock',
    { commands: ['stop'] },
    'attempt 1 was launched after a person had stopped it',
  ],
  ['old stop word', { commands: ['stop', 'retry'], restart: 0 }, 'an old stop word undid a retry'],
  [
    'removal under the lock',
    { ...BESIDE_REAP, commands: ['stop', 'retry', 'stop'] },
    'the stop word of a live attempt was removed',
  ],
];

const told = (name: string, { states, steps, broken, trace }: Found): string => {
  const seen = `${name}: ${states} states, ${steps} steps`;
  return trace === null ? seen : `${seen}\n  ${trace.join('\n  ')}\n  => ${broken}`;
};

/** A busy machine may take ten times what a free one does. */
const BOUND = { timeout: 300_000 };

describe('the protocol of one workstream', BOUND, () => {
  it.each(WORLDS)('keeps its guarantees in every state: %s', (name, setup) => {
    const found = search(protocolMachine(setup));
    console.log(told(name, found));
    expect(found.trace?.join('\n') ?? null, found.broken ?? '').toBeNull();
    expect(found.states).toBeGreaterThan(1_000);
  });

  it.each(LEFT_OUT)('does not without: %s', (part, setup, broken) => {
    const found = search(protocolMachine({ ...WHOLE, ...setup, without: part }));
    console.log(told(`without ${part}`, found));
    expect(found.broken).toBe(broken);
    expect(found.trace?.length).toBeGreaterThan(2);
  });
});

const LOCK_LEFT_OUT: LockPart[] = ['rename refuses a full folder', 'unlink of that name', 'proof of death'];

describe('the lock', () => {
  it('is never held by two, and always comes free again', () => {
    const found = search(lockMachine({ crashesMax: 2, without: null }));
    console.log(told('three contenders', found));
    expect(found.trace?.join('\n') ?? null).toBeNull();
    expect(found.states).toBeGreaterThan(100);
  });

  it.each(LOCK_LEFT_OUT)('is held by two without: %s', (part) => {
    const found = search(lockMachine({ crashesMax: 2, without: part }));
    console.log(told(`without ${part}`, found));
    expect(found.broken).toMatch(/hold the lock at once/);
  });
});
