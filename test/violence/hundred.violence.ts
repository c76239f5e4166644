import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

const COUNT = 100;
const MOST = 20;
const ids = Array.from({ length: COUNT }, (_, index) => `WS-${String(index + 1).padStart(3, '0')}`);

it('a hundred workstreams, twenty at once: none is lost', { timeout: 300_000 }, async () => {
  const plan = ids.map((id) => ({
    id,
    tasks: [{ run: `echo ${id} > ${id}.txt` }],
    acceptance_tests: [{ run: `test -f ${id}.txt` }],
  }));
  const rig = rigOf(plan);
  const begun = performance.now();
  const launched = await rig.orch(['launch', '--max-parallel', String(MOST)]);
  expect(launched.code).toBe(0);
  const launchSeconds = (performance.now() - begun) / 1000;
  let over = false;
  const sampled = sampleRunning(join(rig.root, '.status'), () => over);
  const waited = await rig.orch(['wait', '--timeout', '270s']);
  const seconds = (performance.now() - begun) / 1000;
  over = true;
  const { most, samples } = await sampled;
  process.stdout.write(
    `100 workstreams, 20 at once: ${seconds.toFixed(1)} s (launch ${launchSeconds.toFixed(1)} s), most at once ${most} in ${samples} samples\n`,
  );
  expect([waited.code, waited.stderr]).toEqual([0, '']);
  expect(samples).toBeGreaterThan(20);
  expect(most).toBeLessThanOrEqual(MOST);
  expect(mostByEvents(rig.events())).toBeLessThanOrEqual(MOST);

  for (const id of ids) {
    expect(rig.record(id)).toMatchObject({
      status: 'completed',
      progress: '1/1',
      attempt: 1,
      restarts: 0,
      exit_code: 0,
    });
  }
  const refs = rig.git('for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads/orch', 'refs/orch');
  const tips = new Map(
    refs
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  expect(tips.size).toBe(2 * COUNT);
  for (const id of ids) {
    const { head } = rig.record(id);
    expect([tips.get(`refs/heads/orch/${id}`), tips.get(`refs/orch/checkpoint/${id}`)]).toEqual([head, head]);
  }
  expect(rig.git('rev-list', '--count', '--branches=orch', '--not', 'main').trim()).toBe(String(COUNT));
  expect(rig.git('fsck', '--no-dangling', '--no-progress')).toBe('');
  expect(rig.git('status', '--porcelain')).toBe('');
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
  expect(readdirSync(join(rig.root, '.pids'))).toEqual(['.gitignore']);
});

/** How many records say at once that a worker is at work, at most, until the run is over. */
async function sampleRunning(
  folder: string,
  isOver: () => boolean,
): Promise<{ most: number; samples: number }> {
  let most = 0;
  let samples = 0;
  while (!isOver()) {
    // Records are read one after the other: those that are at work before and after were so at one moment.
    const before = atWorkIn(folder);
    const after = new Set(atWorkIn(folder));
    most = Math.max(most, before.filter((name) => after.has(name)).length);
    samples += 1;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { most, samples };
}

/** Which records say that a worker is at work. Each has one attempt. */
function atWorkIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.startsWith('_'));
  return names.filter((name) => {
    const { status } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { status: string };
    return status === 'starting' || status === 'running';
  });
}

/** The same by the audit trail, which misses no moment. */
function mostByEvents(events: readonly Record<string, unknown>[]): number {
  let [now, most] = [0, 0];
  for (const { event, to } of events) {
    if (event !== 'state') continue;
    if (to === 'starting') now += 1;
    else if (to !== 'running' && to !== 'pending') now -= 1;
    most = Math.max(most, now);
  }
  return most;
}
