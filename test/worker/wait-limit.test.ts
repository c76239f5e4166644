import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { Limit } from '../../lib/store/limits.ts';
import { heedTurn } from '../../lib/worker/wait-limit.ts';
import { endAll, makeFolder } from '../store/run-program.ts';

afterEach(async () => {
  vi.unstubAllEnvs();
  await endAll();
});

it('a limit that cannot be shared is waited for twice as long each time, until the account answers', async () => {
  const home = makeFolder();
  mkdirSync(join(home, 'orch'));
  // A folder that others may write to is not written.
  chmodSync(join(home, 'orch'), 0o777);
  vi.stubEnv('ORCH_STATE_HOME', home);
  const limits = new Map<string, Limit>();
  const turn = { account: 'a', retryAfterSeconds: null, message: 'HTTP 429' };
  let begunAt = Date.now() / 1000;
  const waits: number[] = [];
  for (let hits = 0; hits < 4; hits += 1) {
    await heedTurn({ limits }, { ...turn, outcome: 'rate_limited', begunAt });
    const { at = 0, until = 0 } = limits.get('a') ?? {};
    waits.push(Math.round(until - at));
    begunAt = at + 0.001;
  }
  expect(waits).toEqual([60, 120, 240, 480]);
  await heedTurn({ limits }, { ...turn, outcome: 'done', begunAt });
  expect(limits.size).toBe(0);
});
