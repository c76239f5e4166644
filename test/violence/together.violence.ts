import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** Several orch commands at once, on one repository. */

let out = '';
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const note = (file: string): string => `echo "$ORCH_WORKSTREAM $ORCH_ATTEMPT" >> ${join(out, file)}`;
const noted = (file: string): string[] => {
  const path = join(out, file);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').sort() : [];
};
/** Waits until the test lets it go on. */
const gate = (file: string): string => `until test -f ${join(out, file)}; do sleep 0.05; done`;
const open = (file: string): void => writeFileSync(join(out, file), '');

const runIds = (rig: Rig, ids: string[]): unknown[] => [...new Set(ids.map((id) => rig.record(id)['run']))];
const spawns = (rig: Rig, id: string): unknown[] =>
  rig.events().filter((one) => one['event'] === 'spawn' && one['workstream'] === id);
/** Who took the role, one after the other; whoever only waits for it is not among them. */
const orchestrators = (rig: Rig): unknown[] =>
  rig.events().filter(({ event, mode }) => event === 'orchestrator' && mode !== undefined);

describe('two launches at once', () => {
  it('make one run, five times', { timeout: 120_000 }, async () => {
    await Promise.all([1, 2, 3, 4, 5].map(launchTwice));
  });
});

async function launchTwice(round: number): Promise<void> {
  const ids = ['one', 'two', 'three'];
  const file = `launch-${round}`;
  const rig = rigOf(ids.map((id) => ({ id, tasks: [{ run: `${note(file)}; echo ${id} > ${id}.txt` }] })));
  const both = await Promise.all([rig.orch(['launch']), rig.orch(['launch'])]);
  const codes = both.map(({ code }) => code).sort();
  // The second is refused while the first is at it, or finds all of it there.
  expect([
    [0, 4],
    [0, 0],
  ]).toContainEqual(codes);
  const waited = await rig.orch(['wait', '--timeout', '90s']);
  expect([waited.code, waited.stderr]).toEqual([0, '']);
  expect(noted(file)).toEqual(['one 1', 'three 1', 'two 1']);
  for (const id of ids) {
    expect([rig.status(id), rig.record(id)['attempt'], spawns(rig, id).length]).toEqual(['completed', 1, 1]);
  }
  const frozen = JSON.parse(rig.read('.status/_plan.json')) as { run: string };
  if (codes[1] === 4) expect(runIds(rig, ids)).toEqual([frozen.run]);
}

describe('two reattaches at once', () => {
  it('restart what crashed once', { timeout: 90_000 }, async () => {
    const ids = ['one', 'two'];
    const plan = ids.map((id) => ({
      id,
      tasks: [{ run: `${note('reattach')}; ${gate('go')}; echo ${id} > ${id}.txt` }],
    }));
    const rig = rigOf(plan);
    expect((await rig.orch(['launch'])).code).toBe(0);
    await until(() => ids.every((id) => rig.status(id) === 'running'), { what: 'both to run' });
    await until(() => noted('reattach').length === 2, { what: 'both tasks to begin' });
    const pids = [rig.pid('_orchestrator'), ...ids.map((id) => rig.pid(id))];
    for (const pid of pids) signal(pid, 'SIGKILL');
    await until(() => !pids.some(isAlive), { what: 'them to be gone' });

    const both = [rig.start(['reattach']), rig.start(['reattach'])];
    await until(() => noted('reattach').length === 4, { what: 'both to be started again', boundMs: 60_000 });
    expect(orchestrators(rig)).toHaveLength(2);
    open('go');
    const codes = await Promise.all(both.map(async ({ finished }) => (await finished).code));
    expect(codes).toEqual([0, 0]);
    expect(noted('reattach')).toEqual(['one 1', 'one 2', 'two 1', 'two 2']);
    for (const id of ids) {
      expect([rig.status(id), rig.record(id)['attempt'], spawns(rig, id).length]).toEqual([
        'completed',
        2,
        2,
      ]);
    }
  });
});

describe('commands in a loop while a run goes on', () => {
  it('never see half a record and never disturb it', { timeout: 120_000 }, async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const task = { run: `${note('loop')}; sleep 0.3` };
    const plan = ids.map((id) => ({ id, tasks: [task, task, task], acceptance_tests: [{ run: 'true' }] }));
    const rig = rigOf(plan);
    expect((await rig.orch(['launch', '--max-parallel', '3'])).code).toBe(0);
    let over = false;
    const inALoop = async (args: string[]): Promise<Finished[]> => {
      const all: Finished[] = [];
      while (!over) all.push(await rig.orch(args));
      return all;
    };
    const loops = [inALoop(['status', '--json']), inALoop(['reap', '--json'])];
    const read = readInALoop(rig, () => over);
    const waited = await rig.orch(['wait', '--timeout', '90s']);
    over = true;
    const [statuses = [], reaps = []] = await Promise.all(loops);
    expect([waited.code, waited.stderr]).toEqual([0, '']);
    expect(await read).toBeGreaterThan(20);

    expect(statuses.length).toBeGreaterThan(1);
    for (const { code, stdout, stderr } of statuses) {
      expect([code, stderr]).toEqual([0, '']);
      const list = JSON.parse(stdout) as {
        workstreams: { workstream: string; status: string; verdict: string }[];
      };
      expect(list.workstreams.map(({ workstream }) => workstream)).toEqual(ids);
      const strange = list.workstreams.filter(
        ({ status, verdict }) =>
          !['pending', 'starting', 'running', 'completed'].includes(status) || status !== verdict,
      );
      expect(strange).toEqual([]);
    }
    expect(reaps.length).toBeGreaterThan(1);
    for (const { code, stdout } of reaps) {
      const { actions } = JSON.parse(stdout) as { actions: { action: string }[] };
      expect([code, actions.filter(({ action }) => action !== 'remove')]).toEqual([0, []]);
    }
    expect(noted('loop')).toEqual(ids.flatMap((id) => [`${id} 1`, `${id} 1`, `${id} 1`]));
    for (const id of ids) expect([rig.status(id), rig.record(id)['attempt']]).toEqual(['completed', 1]);
  });
});

/** Reads all records again and again, as a foreign monitor does; how often. */
async function readInALoop(rig: Rig, isOver: () => boolean): Promise<number> {
  let times = 0;
  while (!isOver()) {
    for (const name of readdirSync(join(rig.root, '.status'))) {
      if (name.endsWith('.json')) JSON.parse(readFileSync(join(rig.root, '.status', name), 'utf8'));
    }
    times += 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return times;
}

describe('a launch while others are at work', () => {
  it('is refused, and changes nothing', { timeout: 90_000 }, async () => {
    const rig = rigOf([{ id: 'long', tasks: [{ run: `${note('busy')}; ${gate('end')}` }] }]);
    const other = JSON.stringify([{ id: 'other', tasks: [{ run: note('busy') }] }]);
    const elsewhere = join(out, 'other.json');
    writeFileSync(elsewhere, other);
    expect((await rig.orch(['launch'])).code).toBe(0);
    await until(() => rig.status('long') === 'running', { what: 'the worker to run' });
    const plan = rig.read('.status/_plan.json');
    const refused = async (args: string[]): Promise<void> => {
      const { code, stderr } = await rig.orch(['launch', '--json', ...args]);
      const { error } = JSON.parse(stderr) as { error: { code: string; hint: string } };
      expect([code, error.code, error.hint.length > 0]).toEqual([4, 'BUSY', true]);
      expect(rig.read('.status/_plan.json')).toBe(plan);
      expect(rig.status('other')).toBeNull();
    };

    // Somebody orchestrates.
    await refused([]);
    await refused([elsewhere]);
    // Nobody does, but a worker is alive that the new plan does not have.
    const orchestrator = rig.pid('_orchestrator');
    signal(orchestrator, 'SIGKILL');
    await until(() => !isAlive(orchestrator), { what: 'the orchestrator to be gone' });
    await refused([elsewhere]);
    // With the same plan it is adopted.
    const worker = rig.pid('long');
    const adopted = await rig.orch(['launch']);
    expect([adopted.code, rig.pid('long'), isAlive(worker)]).toEqual([0, worker, true]);
    open('end');
    expect((await rig.orch(['wait', '--timeout', '60s'])).code).toBe(0);
    expect(noted('busy')).toEqual(['long 1']);
  });
});
