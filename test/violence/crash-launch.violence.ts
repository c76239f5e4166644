import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, type TestContext, vi } from 'vitest';
import {
  BOUND_MS,
  expectAllDone,
  killHard,
  orchestratorOf,
  release,
  runsOf,
  salvagedText,
  statusOf,
  stepsOf,
  tool,
  untilRuns,
  verdictsOf,
} from '../rig/ledger.ts';
import { isAlive, ORCH, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

const PAIR = { workstreams: [stepsOf('A', ['one', 'two:go', 'three']), stepsOf('B', ['one', 'two:go'])] };
const RUNNING = { status: 'running', verdict: 'running', alive: true };

/** A shell on a terminal that launches and stays; `close` ends the terminal as a dropped SSH session does. */
async function launchInTerminal(context: TestContext, rig: Rig): Promise<() => Promise<void>> {
  const line = `"${process.execPath}" "${ORCH}" launch; touch "${rig.aside}/launched"; exec sleep 60`;
  const terminal = spawn('python3', [tool('terminal.py'), 'sh', '-c', line], {
    cwd: rig.root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let told = '';
  terminal.stdout.on('data', (data) => {
    told += String(data);
  });
  context.onTestFinished(() => {
    terminal.stdin.end();
  });
  const shell = await until(() => Number(told.trim()), { what: 'the shell to start' });
  return async () => {
    terminal.stdin.end();
    await until(() => !isAlive(shell), { what: 'the shell to be hung up on' });
    await until(() => terminal.exitCode !== null, { what: 'the terminal to close' });
  };
}

describe.concurrent('the launcher dies', () => {
  it('leaves everything at work when its terminal closes right after the launch', async (context) => {
    const rig = rigFor(context, PAIR);
    const close = await launchInTerminal(context, rig);
    await until(() => existsSync(join(rig.aside, 'launched')), { what: 'the launch', boundMs: BOUND_MS });
    await close();
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');
    const shown = await statusOf(rig, tmpdir());
    expect(shown.orchestrator?.alive).toBe(true);
    expect(verdictsOf(shown)).toEqual({ A: RUNNING, B: RUNNING });
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    expect(runsOf(rig)).toHaveLength(5);
  });

  it.for(['_plan.json', '_orchestrator.json'])(
    'loses nothing when its terminal closes during the launch, once there is %s',
    async (file, context) => {
      const rig = rigFor(context, PAIR);
      release(rig, 'go');
      const close = await launchInTerminal(context, rig);
      await until(() => existsSync(join(rig.root, '.status', file)), { what: file, boundMs: BOUND_MS });
      await close();
      expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
      await expectAllDone(rig, ['A', 'B']);
      expect(runsOf(rig)).toHaveLength(5);
    },
  );

  it('can be killed with -9 at any moment: another launch or a reattach finishes everything', async (context) => {
    const rig = rigFor(context, PAIR);
    release(rig, 'go');
    for (const delay of [120, 200, 300, 450]) {
      const launcher = rig.start(['launch']);
      await new Promise((resolve) => setTimeout(resolve, delay));
      signal(-launcher.pid, 'SIGKILL');
      await launcher.finished;
    }
    // Whoever came furthest may have an orchestrator at work already: then this one is told so.
    const launched = await rig.orch(['launch']);
    expect([0, 4]).toContain(launched.code);
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    expect(runsOf(rig)).toHaveLength(5);
  });
});

describe.concurrent('an attached run dies', () => {
  it('takes its workers along within 5 s, and leaves the rest to a reattach', async (context) => {
    const mercy = `test -e "$ORCH_ROOT.aside/go" || sh ${tool('deaf.sh')} two`;
    const deaf = { id: 'deaf', tasks: [...stepsOf('deaf', ['one']).tasks, { run: mercy }] };
    const rig = rigFor(context, { workstreams: [...PAIR.workstreams, deaf] });
    const ids = ['A', 'B', 'deaf'];
    const run = rig.start(['run']);
    for (const id of ids) await untilRuns(rig, id, 'two');
    const workers = ids.map((id) => rig.pid(id));
    await killHard(run.pid);
    await until(() => !workers.some(isAlive), { what: 'the end of its workers' });
    await until(() => rig.processes().length === 0, { what: 'the end of everything' });
    // On a busy machine one may be cut off at its last moment, before its salvage or even its last word: the next
    // attempt makes up for that.
    const wasCutOff = (id: string): boolean => rig.read(`.logs/${id}.err`).includes('its end takes too long');
    for (const id of ids.filter((one) => !wasCutOff(one))) {
      expect(rig.record(id)).toMatchObject({ status: 'crashed', reason: { code: 'terminated' } });
      expect([id, salvagedText(rig, id, 1, 'two.txt')]).toEqual([id, 'half\n']);
    }
    // Its own clock, since this machine may be busy with other tests: a tool that hears nothing gets no full grace.
    const signals = rig
      .events()
      .filter(({ event, workstream }) => event === 'signal' && workstream === 'deaf');
    const at = (name: string): number => Number(signals.find(({ signal }) => signal === name)?.['at']);
    if (!wasCutOff('deaf')) expect(at('SIGKILL') - at('SIGTERM')).toBeLessThan(4);

    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    expect(rig.record('deaf')).toMatchObject({ status: 'completed', attempt: 2 });
    for (const id of ids) expect([id, salvagedText(rig, id, 1, 'two.txt')]).toEqual([id, 'half\n']);
  });
});

describe.concurrent('the rest goes on', () => {
  it('when the orchestrator is killed, then a worker, then all that is left', async (context) => {
    const rig = rigFor(context, {
      workstreams: [...PAIR.workstreams, stepsOf('C', ['one'], { depends_on: ['A'] })],
    });
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');

    await killHard(await orchestratorOf(rig));
    const alone = await statusOf(rig, tmpdir());
    expect(alone.orchestrator?.alive).toBe(false);
    const C = { status: 'pending', verdict: 'pending', alive: false };
    expect(verdictsOf(alone)).toEqual({ A: RUNNING, B: RUNNING, C });

    await killHard(rig.pid('A'));
    const crashed = { status: 'running', verdict: 'crashed', alive: false };
    expect(verdictsOf(await statusOf(rig, tmpdir()))).toEqual({ A: crashed, B: RUNNING, C });

    await killHard(rig.pid('B'));
    expect(verdictsOf(await statusOf(rig, tmpdir()))).toEqual({ A: crashed, B: crashed, C });
    // What the tools do after their worker has died must not get into the next attempt.
    const orphans = runsOf(rig).flatMap(({ pid, task }) => (task === 'two' ? [pid] : []));
    expect(orphans.map(isAlive)).toEqual([true, true]);

    const reattach = rig.start(['reattach']);
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two', 2);
    expect(orphans.map(isAlive)).toEqual([false, false]);
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B', 'C']);
    const begun = runsOf(rig).map(({ workstream, task, attempt }) => `${workstream} ${task} ${attempt}`);
    expect(begun.sort()).toEqual(
      ['A one 1', 'A two 1', 'A two 2', 'A three 2', 'B one 1', 'B two 1', 'B two 2', 'C one 1'].sort(),
    );
    for (const id of ['A', 'B']) expect(salvagedText(rig, id, 1, 'two.txt')).toBe('half\n');
    expect(rig.record('A')).toMatchObject({ attempt: 2, restarts: 1 });
  });

  it('when all are killed at one instant, and the next orchestrator too', async (context) => {
    const rig = rigFor(context, PAIR);
    const launcher = rig.start(['launch']);
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');
    const all = [launcher.pid, await orchestratorOf(rig), rig.pid('A'), rig.pid('B')];
    for (const pid of all) signal(pid, 'SIGKILL');
    await launcher.finished;
    await until(() => !all.some(isAlive), { what: 'all to end' });
    const crashed = { status: 'running', verdict: 'crashed', alive: false };
    expect(verdictsOf(await statusOf(rig, tmpdir()))).toEqual({ A: crashed, B: crashed });
    const reattach = rig.start(['reattach']);
    await untilRuns(rig, 'A', 'two', 2);
    await killHard(await orchestratorOf(rig));
    // Where it was just starting the worker of B, that attempt never begins, and the one after it does.
    const isAgain = (): boolean =>
      runsOf(rig, 'B').some(({ task, attempt }) => task === 'two' && attempt > 1);
    await until(isAgain, { what: 'another attempt of B', boundMs: BOUND_MS });
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    expect(runsOf(rig)).toHaveLength(7);
  });
});

describe.concurrent('another launch', () => {
  it('adopts who lives and settles who died', async (context) => {
    const rig = rigFor(context, PAIR);
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');
    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('A'));
    const worker = rig.pid('B');
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    await untilRuns(rig, 'A', 'two', 2);
    expect(rig.record('B')).toMatchObject({ status: 'running', pid: worker, attempt: 1 });
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    expect(runsOf(rig)).toHaveLength(6);
  });
});

describe.concurrent('without any command', () => {
  it('a crashed worker is restarted, and a worker that ends has its work passed on', async (context) => {
    const rig = rigFor(context, {
      workstreams: [
        stepsOf('A', ['one', 'two:go']),
        stepsOf('B', ['one']),
        stepsOf('C', ['one'], { depends_on: ['A', 'B'] }),
      ],
    });
    expect(await rig.orch(['launch', '--max-parallel', '1'])).toMatchObject({ code: 0 });
    await untilRuns(rig, 'A', 'two');
    await killHard(rig.pid('A'));
    // Until then, whoever has the only slot is B.
    await untilRuns(rig, 'A', 'two', 2);
    await killHard(await orchestratorOf(rig));
    // As where a launch dies between its plan and its records.
    rmSync(join(rig.root, '.status/C.json'));
    release(rig, 'go');
    for (const id of ['A', 'B', 'C']) {
      await until(() => rig.status(id) === 'completed', { what: `${id} to complete`, boundMs: BOUND_MS });
    }
    await expectAllDone(rig, ['A', 'B', 'C']);
    expect(runsOf(rig).map(({ workstream, task }) => workstream + task)).toEqual(
      expect.arrayContaining(['Aone', 'Atwo', 'Atwo', 'Bone', 'Cone']),
    );
    expect(runsOf(rig)).toHaveLength(5);
    expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
    const starts = rig.events().filter(({ event, workstream }) => event === 'spawn' && workstream === null);
    expect(starts).toHaveLength(1);
  });
});
