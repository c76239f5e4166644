import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../lib/protocol/status.ts';
import { killHard } from '../rig/ledger.ts';
import { makeRepository, type Rig, until, wholeLines } from '../rig/repository.ts';

/** What is known of acceptance tests, where the record has no room for it or an earlier attempt ran them. */

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.end();
});

function world(workstream: Record<string, unknown>): Rig {
  const rig = makeRepository({ workstreams: [{ id: 'A', ...workstream }] });
  rigs.push(rig);
  return rig;
}

const checksOf = (rig: Rig): CheckResult[] => rig.record('A')['checks'] as CheckResult[];
const prose = (count: number) =>
  Array.from({ length: count }, (_, number) => ({ prose: `${'What must hold '.repeat(12)}${number}` }));

const twoSteps = {
  steps: [
    {
      id: 'one',
      tasks: [{ run: 'echo 1 > one.txt' }],
      acceptance_tests: [{ run: 'echo ran >> "$ORCH_ROOT.aside/tests"; test -f one.txt' }, ...prose(1)],
    },
    {
      id: 'two',
      depends_on: ['one'],
      tasks: [
        { run: 'echo 2 > two.txt' },
        { run: 'test -e "$ORCH_ROOT.aside/again" || { echo > "$ORCH_ROOT.aside/again"; exec sleep 600; }' },
      ],
    },
  ],
};

async function killAtLastTask(rig: Rig, before: () => void = () => undefined): Promise<void> {
  await until(() => existsSync(join(rig.aside, 'again')), { what: 'the last task', boundMs: 90_000 });
  before();
  await killHard(rig.pid('A'));
}

describe('a passed acceptance test', { timeout: 180_000 }, () => {
  it('counts though the record has no room for it', async () => {
    const rig = world({
      steps: [
        {
          id: 'one',
          tasks: [{ run: 'echo 1 > one.txt' }],
          acceptance_tests: [...prose(25), { run: 'test -f one.txt' }],
        },
      ],
      acceptance_tests: [{ prose: 'It is well made.' }],
    });
    expect((await rig.orch(['run', '--json'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', reason: null, checks_total: 27 });
    expect(checksOf(rig).length).toBeLessThan(26);
  });

  it('counts in the attempt that goes on behind its step, without being run again', async () => {
    const rig = world(twoSteps);
    const tests = join(rig.aside, 'tests');
    await rig.orch(['launch']);
    await killAtLastTask(rig);
    expect((await rig.orch(['wait', '--timeout', '120s'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2, reason: null });
    expect(checksOf(rig).map(({ kind, passed }) => `${kind} ${passed}`)).toEqual([
      'command true',
      'prose null',
    ]);
    expect(wholeLines(tests)).toHaveLength(1);
  });

  it('counts for nothing where the work was begun anew, and what became of it there is not known', async () => {
    const rig = world(twoSteps);
    await rig.orch(['launch']);
    await killAtLastTask(rig);
    expect((await rig.orch(['wait', '--timeout', '120s'])).code).toBe(0);
    const history = wholeLines(join(rig.root, '.status/A.history.ndjson'));
    rmSync(join(rig.aside, 'again'));
    expect((await rig.orch(['retry', 'A', '--fresh'])).code).toBe(0);
    await killAtLastTask(rig, () => rig.write('.status/A.history.ndjson', `${history.join('\n')}\n`));
    expect((await rig.orch(['wait', '--timeout', '120s'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({
      status: 'completed',
      reason: { code: 'unverified' },
      checks: [],
    });
  });
});

describe('a setup or an acceptance test that somebody ended', { timeout: 180_000 }, () => {
  const noted = (name: string): string => `echo >> "$ORCH_ROOT.aside/${name}"`;
  /** Ends itself as often as `times` says; a part of a line of shell reports it as an exit code. */
  const killing = (name: string, times: number, kill: string): string =>
    `${noted(name)}; [ "$(wc -l < "$ORCH_ROOT.aside/${name}")" -gt ${times} ] || ${kill}`;

  it('is run once more, and decides nothing by its first end', async () => {
    const rig = world({
      setup: [killing('setup', 1, 'kill -9 $$')],
      tasks: [{ run: 'true' }],
      acceptance_tests: [
        { run: killing('direct', 1, 'kill -9 $$') },
        { run: killing('inner', 1, "sh -c 'kill -15 $$'") },
      ],
    });
    expect(await rig.orch(['run'])).toMatchObject({ code: 0 });
    expect(checksOf(rig).map(({ passed }) => passed)).toEqual([true, true]);
    for (const name of ['setup', 'direct', 'inner'])
      expect(wholeLines(join(rig.aside, name))).toHaveLength(2);
    expect(rig.read('.logs/A.log')).toContain('ended by SIGKILL: somebody else than orch ended it');
  });

  it('fails where it is ended again', async () => {
    const rig = world({
      tasks: [{ run: 'true' }],
      acceptance_tests: [{ run: killing('test', 9, 'kill -9 $$') }],
    });
    expect(await rig.orch(['run'])).toMatchObject({ code: 1 });
    expect(rig.record('A')).toMatchObject({ status: 'failed', reason: { code: 'verify_failed' } });
    expect(wholeLines(join(rig.aside, 'test'))).toHaveLength(2);
  });
});
