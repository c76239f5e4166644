import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Finished, isAlive, type Rig, signal, until, wholeLines } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** Launches that meet what earlier ones left, and the places and choices that a launch can be given. */

const out = mkdtempSync(join(tmpdir(), 'orch-out-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const noted = (file: string): string[] => wholeLines(join(out, file));
const task = (file: string, id: string) => ({
  run: `echo ${id} >> ${join(out, file)}; echo ${id} > ${id}.txt`,
});
const refs = (rig: Rig): string => rig.git('for-each-ref', '--format=%(refname) %(objectname)');
const commitOf = (rig: Rig, ref: string): string => rig.git('rev-parse', ref).trim();
const errorOf = ({ stderr }: Finished): string =>
  (JSON.parse(stderr) as { error: { code: string } }).error.code;

async function complete(rig: Rig, ...ids: string[]): Promise<void> {
  const waited = await rig.orch(['wait', '--timeout', '50s', ...ids]);
  expect([waited.code, waited.stderr]).toEqual([0, '']);
}

describe('a launch over earlier work', () => {
  const plan = [
    { id: 'A', tasks: [task('join', 'A')] },
    { id: 'B', tasks: [task('join', 'B')] },
    { id: 'C', depends_on: ['A'], tasks: [task('join', 'C')] },
  ];

  it('keeps what is completed, refuses what is changed, and starts over when told', {
    timeout: 120_000,
  }, async () => {
    const rig = rigOf(plan);
    const first = commitOf(rig, 'HEAD');

    // Looking at what would happen makes nothing.
    const dry = await rig.orch(['launch', '--dry-run', '--json']);
    expect([dry.code, JSON.parse(dry.stdout)]).toMatchObject([
      0,
      { base: first, waves: [['A', 'B'], ['C']] },
    ]);
    expect([existsSync(join(rig.root, '.status')), refs(rig).trim().split('\n').length]).toEqual([false, 1]);

    // A part of the plan; what depends on the rest is refused.
    const part = await rig.orch(['launch', '--only', 'C', '--json']);
    expect([part.code, errorOf(part)]).toEqual([2, 'PLAN_INVALID']);
    expect((await rig.orch(['launch', '--skip', 'B', 'C'])).code).toBe(0);
    await complete(rig);
    expect([noted('join'), rig.status('B'), rig.status('C')]).toEqual([['A'], null, null]);

    // A dependency outside the selection is satisfied by what is completed.
    expect((await rig.orch(['launch', '--only', 'C'])).code).toBe(0);
    await complete(rig, 'C');
    expect(rig.record('C')['base']).toBe(rig.record('A')['head']);

    // The whole plan: only what is missing is done, and the next time nothing.
    for (const round of [1, 2]) {
      expect([round, (await rig.orch(['launch'])).code]).toEqual([round, 0]);
      await complete(rig);
      expect(noted('join')).toEqual(['A', 'C', 'B']);
    }
    await until(() => rig.processes().length === 0, { what: 'all processes to end' });

    // A changed definition launches nothing.
    const [records, branches] = [rig.read('.status/A.json'), refs(rig)];
    const changed = plan.map((one) =>
      one.id === 'A' ? { ...one, tasks: [...one.tasks, { run: 'echo 2 > two.txt' }] } : one,
    );
    rig.write('orch.plan.json', JSON.stringify(changed));
    rig.git('commit', '--quiet', '--all', '--message=plan');
    const refused = await rig.orch(['launch', '--json']);
    expect([refused.code, errorOf(refused)]).toEqual([2, 'DEFINITION_CHANGED']);
    expect(refused.stderr).toContain('--fresh');
    expect([rig.read('.status/A.json'), refs(rig).replace(commitOf(rig, 'main'), first)]).toEqual([
      records,
      branches,
    ]);

    // Started over, from where the user now is; nothing is lost.
    const earlier = String(rig.record('A')['head']);
    expect((await rig.orch(['launch', '--fresh', '--only', 'A'])).code).toBe(0);
    await complete(rig, 'A');
    expect(rig.record('A')).toMatchObject({ attempt: 2, progress: '2/2', base: commitOf(rig, 'main') });
    expect(noted('join')).toEqual(['A', 'C', 'B', 'A']);
    expect(rig.git('rev-list', 'orch/A').split('\n')).not.toContain(earlier);
    expect(rig.git('rev-list', 'refs/orch/salvage/A/1').split('\n')).toContain(earlier);
  });
});

describe('a launch that is cut off', () => {
  const CUT = 'launch/store.plan.synced:kill';
  const planOf = (word: string): unknown[] => [
    { id: 'A', tasks: [task('cut', `A${word}`)] },
    { id: 'B', tasks: [{ run: `echo B${word} >> ${join(out, 'cut')}; test ${word} != 1` }] },
    { id: 'C', depends_on: ['A'], tasks: [task('cut', `C${word}`)] },
    { id: 'D', depends_on: ['B'], tasks: [task('cut', `D${word}`)] },
  ];
  const commitPlan = (rig: Rig, plan: unknown): void => {
    rig.write('orch.plan.json', JSON.stringify(plan));
    rig.git('commit', '--quiet', '--all', '--message=plan');
  };
  const cutOff = async (rig: Rig, at: string, ...args: string[]): Promise<void> => {
    expect(await rig.orch(['launch', ...args], { env: { ORCH_FAILPOINT: at } })).toMatchObject({
      code: null,
    });
  };
  const isQuiet = (rig: Rig) => until(() => rig.processes().length === 0, { what: 'all processes to end' });

  it('is finished by whoever orchestrates next: nothing of the old plan counts as of the new one', {
    timeout: 180_000,
  }, async () => {
    const rig = rigOf(planOf('1'));
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['wait'])).toMatchObject({ code: 1 });
    await isQuiet(rig);
    const all = () => ['A', 'B', 'C', 'D'].map((id) => rig.status(id));
    expect(all()).toEqual(['completed', 'failed', 'completed', 'blocked']);

    // Nothing of it is joined yet. C has no record, and git knows what it had done.
    commitPlan(rig, planOf('2'));
    rmSync(join(rig.root, '.status/C.json'));
    await cutOff(rig, CUT, '--fresh');
    const shown = await rig.orch(['status', '--json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      summary: { pending: 4 },
      workstreams: ['A', 'B', 'C', 'D'].map((workstream) => ({ workstream, final: false })),
    });
    // Neither repair nor due restarts are new work.
    expect(await rig.orch(['reattach', '--once'])).toMatchObject({ code: 0 });
    expect(all()).toEqual(['completed', 'failed', null, 'blocked']);

    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await isQuiet(rig);
    expect(noted('cut').slice(3).sort()).toEqual(['A2', 'B2', 'C2', 'D2']);
    const { run } = JSON.parse(rig.read('.status/_plan.json')) as { run: string };
    for (const id of ['A', 'B', 'C', 'D'])
      expect(rig.record(id)).toMatchObject({ run, status: 'completed', fresh: false });
    expect(rig.git('ls-tree', '--name-only', 'orch/C').split('\n')).not.toContain('C1.txt');

    // What begins fresh does so once: this was done since.
    const before = noted('cut');
    rmSync(join(rig.root, '.status/C.json'));
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    expect([noted('cut'), rig.status('C')]).toEqual([before, 'completed']);
  });

  it('lifts the hold of a stop --all that it found, and no later one', { timeout: 180_000 }, async () => {
    const held = join(out, 'held');
    const rig = rigOf(
      ['A', 'B', 'C'].map((id) => ({
        id,
        tasks: [{ run: `echo ${id} >> ${held}; until test -f ${held}-go; do sleep 0.05; done` }],
      })),
    );
    const all = () => ['A', 'B', 'C'].map((id) => rig.status(id));
    expect(await rig.orch(['launch', '--max-parallel', '1'])).toMatchObject({ code: 0 });
    await until(() => noted('held').length === 1, { what: 'A to be at work' });
    expect(await rig.orch(['stop', '--all'])).toMatchObject({ code: 0 });
    await isQuiet(rig);
    expect(all()).toEqual(['stopped', 'stopped', 'stopped']);

    // One of three is joined, and then a person stops everything: that word is the last.
    await cutOff(rig, 'launch/store.record.synced:kill');
    expect(all().sort()).toEqual(['pending', 'stopped', 'stopped']);
    expect(await rig.orch(['stop', '--all'])).toMatchObject({ code: 0 });
    const reattached = await rig.orch(['reattach', '--json']);
    expect(reattached).toMatchObject({ code: 1 });
    expect([all(), noted('held')]).toEqual([['stopped', 'stopped', 'stopped'], ['A']]);

    await cutOff(rig, CUT);
    writeFileSync(`${held}-go`, '');
    expect(existsSync(join(rig.root, '.status/_hold.json'))).toBe(true);
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    expect([all(), noted('held').sort()]).toEqual([
      ['completed', 'completed', 'completed'],
      ['A', 'A', 'B', 'C'],
    ]);
  });
});

describe('the place of a launch', () => {
  it('may be a subfolder, a linked worktree, or anywhere with --root', { timeout: 120_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [task('place', 'A')] }], { 'src/deep/file.txt': 'x\n' });
    const linked = join(out, 'linked');
    rig.git('worktree', 'add', '--quiet', '-b', 'side', linked);
    const deep = join(linked, 'src/deep');
    const launched = await rig.orch(['launch', join(rig.root, 'orch.plan.json')], { cwd: deep });
    expect(launched.code).toBe(0);
    const places: [string, string[]][] = [
      [deep, []],
      [join(rig.root, 'src/deep'), []],
      [tmpdir(), ['--root', rig.root]],
      [tmpdir(), ['--root', linked]],
    ];
    const looks = places.map(([cwd, args]) => rig.orch(['status', '--json', ...args], { cwd }));
    for (const { code, stdout } of await Promise.all(looks)) {
      expect([code, (JSON.parse(stdout) as { root: string }).root]).toEqual([0, rig.root]);
    }
    const named = await rig.orch(['status', '--json'], { cwd: tmpdir(), env: { ORCH_ROOT: rig.root } });
    expect(named.code).toBe(0);
    const waited = await rig.orch(['wait', '--root', rig.root, '--timeout', '50s'], { cwd: tmpdir() });
    expect(waited.code).toBe(0);
    expect(existsSync(join(linked, '.status'))).toBe(false);
    expect([rig.status('A'), rig.git('-C', linked, 'status', '--porcelain')]).toEqual(['completed', '']);
  });

  it('may have changes that the workstreams do not see, if told so', { timeout: 120_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'cat README.md > seen.txt' }] }]);
    rig.write('staged.txt', 'staged\n');
    rig.git('add', 'staged.txt');
    rig.write('README.md', 'changed\n');
    rig.write('loose.txt', 'loose\n');
    const before = [rig.git('status', '--porcelain'), rig.git('diff'), rig.git('diff', '--cached')];
    expect((await rig.orch(['launch', '--allow-dirty'])).code).toBe(0);
    await complete(rig);
    expect([rig.git('status', '--porcelain'), rig.git('diff'), rig.git('diff', '--cached')]).toEqual(before);
    expect(rig.git('show', 'orch/A:seen.txt')).toBe('hello\n');
    expect(rig.git('ls-tree', '--name-only', 'orch/A').split('\n')).not.toContain('staged.txt');
  });

  it('may be a commit of its own, which stays what it was', { timeout: 120_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }]);
    rig.git('tag', 'old');
    const old = commitOf(rig, 'old');
    rig.git('commit', '--quiet', '--allow-empty', '--message=newer');
    expect((await rig.orch(['launch', '--base', 'old'])).code).toBe(0);
    await complete(rig);
    expect(rig.record('A')['base']).toBe(old);
  });
});

describe('orch wait', () => {
  it('ends with 4 when its time is over, and when nobody is at work', { timeout: 120_000 }, async () => {
    const rig = rigOf([
      { id: 'A', tasks: [{ run: `until test -f ${join(out, 'wait')}; do sleep 0.05; done` }] },
      { id: 'B', depends_on: ['A'], tasks: [{ run: 'true' }] },
    ]);
    expect((await rig.orch(['launch'])).code).toBe(0);
    const late = await rig.orch(['wait', '--timeout', '1s', '--json']);
    expect([late.code, errorOf(late)]).toEqual([4, 'WAIT_TIMEOUT']);
    expect(isAlive(rig.pid('A'))).toBe(true);

    const pids = [rig.pid('_orchestrator'), rig.pid('A')];
    for (const pid of pids) signal(pid, 'SIGKILL');
    await until(() => !pids.some(isAlive), { what: 'them to be gone' });
    const alone = await rig.orch(['wait', '--json']);
    expect([alone.code, errorOf(alone)]).toEqual([4, 'NOBODY_ORCHESTRATES']);

    writeFileSync(join(out, 'wait'), '');
    const reattached = await rig.orch(['reattach', '--json']);
    expect([reattached.code, rig.status('A'), rig.status('B')]).toEqual([0, 'completed', 'completed']);
    for (const line of reattached.stdout.trim().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({
        at: expect.any(Number),
        workstream: expect.stringMatching(/^[AB]$/),
      });
    }
    expect((await rig.orch(['wait'])).code).toBe(0);
  });
});

describe('a reattach', () => {
  it('ends once the orchestrator has let go, so that what comes next has its way', {
    timeout: 120_000,
  }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }]);
    const env = { ORCH_FAILPOINT: '_orchestrate/store.role.resigned:delay:6000' };
    expect((await rig.orch(['launch'], { env })).code).toBe(0);
    expect((await rig.orch(['reattach'])).code).toBe(0);
    // Of a launch that was killed: it goes under the lock of its writer.
    rig.write('.status/_plan.json.4244', 'half');
    expect((await rig.orch(['reap'])).code).toBe(0);
    expect(existsSync(join(rig.root, '.status/_plan.json.4244'))).toBe(false);
    expect((await rig.orch(['launch'])).code).toBe(0);
  });
});

describe('a folder of plans', () => {
  it('is read when nothing is named', { timeout: 120_000 }, async () => {
    const rig = rigOf(undefined, {
      'workstreams/a.json': JSON.stringify({ id: 'A', tasks: [{ run: 'true' }] }),
      'workstreams/b.yaml': 'id: B\ndepends_on: [A]\ntasks:\n  - run: "true"\n',
    });
    mkdirSync(join(rig.root, 'workstreams/nested'));
    expect((await rig.orch(['launch'])).code).toBe(0);
    await complete(rig);
    expect([rig.status('A'), rig.status('B')]).toEqual(['completed', 'completed']);
  });
});
