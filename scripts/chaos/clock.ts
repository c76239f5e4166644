import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Action } from '../../lib/proof/chaos/action.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';

/** The wall clock of a round, by libfaketime. The monotonic one goes on, as on a machine whose clock is set. */

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
];

export const libfaketime = LIBRARIES.find((path) => existsSync(path)) ?? null;

const fileOf = (stage: Stage): string => join(stage.shop.aside, 'clock');

/** From here on all that the round starts reads its clock from a file. */
export function fakeClock(stage: Stage): void {
  if (libfaketime === null) return;
  writeFileSync(fileOf(stage), '+0');
  Object.assign(stage.env, {
    LD_PRELOAD: libfaketime,
    FAKETIME_TIMESTAMP_FILE: fileOf(stage),
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    // What is killed would leave its shared memory behind.
    FAKETIME_DISABLE_SHM: '1',
    NO_FAKE_STAT: '1',
  });
}

const JUMPS = ['+3d', '-3d', '+40d', '-40d', '+1h', '-1h', '+5', '-5', '+0'] as const;

/** Somebody sets the clock. Processes notice within a second. */
export const SET_CLOCK: Action = {
  name: 'clock',
  weight: 8,
  decide(random) {
    const jump = random.pick(JUMPS);
    const run = async (stage: Stage): Promise<void> => {
      writeFileSync(fileOf(stage), jump);
      count(stage.tally.deeds, 'clock set');
      stage.note(`the clock is at ${jump}`);
    };
    return { what: `clock ${jump}`, run };
  },
};
