import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { limitsPath } from '../../lib/protocol/layout.ts';
import {
  clearLimit,
  type Hit,
  type Limit,
  limitAfter,
  noteLimit,
  readLimits,
  stateHome,
  TRUST_SECONDS,
} from '../../lib/store/limits.ts';
import { endAll, makeFolder, runProgram } from './run-program.ts';

afterEach(endAll);

const now = (): number => Date.now() / 1000;

function hit(more: Partial<Hit> = {}): Hit {
  return {
    account: 'openai',
    kind: 'rate_limited',
    retryAfterSeconds: null,
    why: 'HTTP 429',
    begunAt: now(),
    ...more,
  };
}

function put(home: string, text: string): string {
  mkdirSync(dirname(limitsPath(home)), { recursive: true, mode: 0o700 });
  writeFileSync(limitsPath(home), text);
  return limitsPath(home);
}

describe('a limit', () => {
  it('is as long as the provider said, or a minute that doubles up to half an hour', () => {
    expect(limitAfter(null, hit({ retryAfterSeconds: 7 }), 1_000).until).toBe(1_007);
    let known: Limit | null = null;
    const waits: number[] = [];
    for (let at = 1_000, hits = 0; hits < 8; hits += 1) {
      known = limitAfter(known, hit({ begunAt: at }), at);
      waits.push(known.until - at);
      at = known.until + 1;
    }
    expect(waits).toEqual([60, 120, 240, 480, 960, 1_800, 1_800, 1_800]);
  });

  it('that is met again and again grows, although the provider says to come back at once', () => {
    let known: Limit | null = null;
    const waits = Array.from({ length: 8 }, () => {
      const at: number = known === null ? 1_000 : known.until;
      known = limitAfter(known, hit({ begunAt: at, retryAfterSeconds: 0 }), at + 1);
      return known.until - (at + 1);
    });
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('of a quota is an hour where nobody says', () => {
    expect(limitAfter(null, hit({ kind: 'quota' }), 1_000).until).toBe(4_600);
  });

  it('that several met at once is one', () => {
    const first = limitAfter(null, hit({ begunAt: 990 }), 1_000);
    const second = limitAfter(first, hit({ begunAt: 991 }), 1_002);
    expect([second.hits, second.until]).toEqual([1, 1_062]);
    expect(limitAfter(first, hit({ begunAt: 991, retryAfterSeconds: 2 }), 1_002).until).toBe(first.until);
  });

  it('is never further ahead than a day, never behind, whatever is said', () => {
    fc.assert(
      fc.property(fc.option(fc.double(), { nil: null }), fc.nat(50), (retryAfterSeconds, hits) => {
        const known = { kind: 'rate_limited', until: 990, hits, why: '', at: 900 } as const;
        const { until } = limitAfter(known, hit({ begunAt: 995, retryAfterSeconds }), 1_000);
        expect(until).toBeGreaterThanOrEqual(1_001);
        expect(until).toBeLessThanOrEqual(1_000 + TRUST_SECONDS);
      }),
    );
  });
});

describe('the file of limits', () => {
  it('is private, and keeps what is noted until the account answers', async () => {
    const home = makeFolder();
    const { limit } = await noteLimit(home, hit({ retryAfterSeconds: 600 }));
    const path = limitsPath(home);
    expect([statSync(path).mode & 0o777, statSync(dirname(path)).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(readLimits(home, now()).get('openai')).toEqual(limit);
    // A run that began before the limit was met says nothing about it.
    await clearLimit(home, 'openai', limit.at - 1);
    expect(readLimits(home, now()).has('openai')).toBe(true);
    await clearLimit(home, 'openai', limit.at + 1);
    expect(readLimits(home, now()).has('openai')).toBe(false);
  });

  it('keeps the limits of all processes that write at once', { timeout: 60_000 }, async () => {
    const home = makeFolder();
    const programs = ['a', 'b', 'c', 'd'].map((name) => runProgram('hit-limit', [home, name, '10']));
    expect(await Promise.all(programs.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
    expect(readLimits(home, now()).size).toBe(40);
    expect(programs.map((program) => program.stderr()).join('')).toBe('');
    expect(readdirSync(dirname(limitsPath(home)))).toEqual(['limits.json']);
  });

  it('goes on after a writer that was killed', { timeout: 60_000 }, async () => {
    const home = makeFolder();
    const killed = runProgram('hit-limit', [home, 'k', '10000']);
    await vi.waitUntil(() => readLimits(home, now()).size > 3, { timeout: 20_000 });
    killed.signal('SIGKILL');
    await killed.ended;
    const before = readLimits(home, now()).size;
    await noteLimit(home, hit());
    expect(readLimits(home, now()).size).toBe(before + 1);
    const temporary = readdirSync(dirname(limitsPath(home))).filter((name) => /json\.\d+$/.test(name));
    expect(temporary).toEqual([]);
  });

  it.each(['garbage', '[]', '"x"', '{"openai": ', '\u0000'])(
    'of %j knows nothing, and is kept aside',
    async (text) => {
      const home = makeFolder();
      const path = put(home, text);
      expect(readLimits(home, now()).size).toBe(0);
      await noteLimit(home, hit());
      expect(readLimits(home, now()).size).toBe(1);
      expect(readFileSync(`${path}.unreadable-1`, 'utf8')).toBe(text);
    },
  );

  it('passes over entries of the wrong shape and times that cannot be', () => {
    const home = makeFolder();
    const at = now();
    const good = { kind: 'rate_limited', until: at + 60, hits: 1, why: '', at };
    const entries = {
      good,
      far: { ...good, until: at + 2 * TRUST_SECONDS },
      fromTheFuture: { ...good, at: at + 7_200 },
      longOver: { ...good, at: at - 3 * TRUST_SECONDS, until: at - 2 * TRUST_SECONDS },
      other: { ...good, kind: 'x' },
      text: 'x',
      nothing: null,
    };
    put(home, `${JSON.stringify(entries).slice(0, -1)}, "__proto__": {"until": 1e999}}`);
    expect([...readLimits(home, at).keys()]).toEqual(['good']);
  });

  it('that cannot be written costs the sharing, not the limit', async () => {
    const home = makeFolder();
    mkdirSync(join(home, 'orch'));
    chmodSync(join(home, 'orch'), 0o777);
    expect(await noteLimit(home, hit())).toMatchObject({ isShared: false, limit: { hits: 1 } });
    expect(readdirSync(join(home, 'orch'))).toEqual([]);
  });

  it('takes up what could not be shared before, unless it knows of something later', async () => {
    const home = makeFolder();
    const own: Limit = { kind: 'rate_limited', until: now() - 20, hits: 3, why: '', at: now() - 500 };
    expect(await noteLimit(home, hit(), own)).toMatchObject({ isShared: true, limit: { hits: 4 } });
    expect((await noteLimit(home, hit({ begunAt: now() + 1 }), own)).limit.hits).toBe(5);
    const insane = { ...own, at: now() + 7_200 };
    expect((await noteLimit(home, hit({ account: 'other' }), insane)).limit.hits).toBe(1);
  });

  it('is where the environment says', () => {
    expect(stateHome({ ORCH_STATE_HOME: '/o', XDG_STATE_HOME: '/x' })).toBe('/o');
    expect(stateHome({ XDG_STATE_HOME: '/x' })).toBe('/x');
    expect(stateHome({ XDG_STATE_HOME: 'relative' })).toMatch(/\/\.local\/state$/);
  });
});
