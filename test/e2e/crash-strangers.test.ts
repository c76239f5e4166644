import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext, vi } from 'vitest';
import {
  BOUND_MS,
  expectAllDone,
  json,
  killHard,
  orchestratorOf,
  release,
  statusOf,
  stepsOf,
  tool,
  untilRuns,
  verdictsOf,
} from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

const PLAN = { workstreams: [stepsOf('A', ['one', 'two:go'])] };

/** A process that has nothing to do with orch, ended after the test. */
function startStranger(
  context: TestContext,
  command: readonly string[] = ['sleep', '120'],
  options: { cwd?: string; stdin?: 'pipe' } = {},
): ChildProcess & { pid: number } {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    detached: true,
    stdio: [options.stdin ?? 'ignore', 'ignore', 'ignore'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} did not start`);
  context.onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) signal(pid, 'SIGKILL');
  });
  return Object.assign(child, { pid });
}

/** Clock ticks since boot, as in a record. */
function startTimeOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

/** Younger than 2 s, a process with the right start time is taken for a worker between fork and exec. */
async function untilGrownUp(pid: number): Promise<void> {
  const ticks = startTimeOf(pid);
  const ageSeconds = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) - ticks / 100;
  await until(() => ageSeconds() > 2.5, { what: `${pid} to be 2.5 s old` });
}

/** The record of A as it is after its worker was killed, with its PID and identity replaced. */
function forge(rig: Rig, pid: number, identity: Record<string, unknown>): void {
  const record = rig.record('A');
  const forged = { ...(record['identity'] as object), ...identity };
  rig.write('.status/A.json', JSON.stringify({ ...record, pid, identity: forged }));
  rig.write('.pids/A.pid', `${pid}\n`);
}

async function launchAndKill(rig: Rig): Promise<void> {
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  await untilRuns(rig, 'A', 'two');
  await killHard(await orchestratorOf(rig));
  await killHard(rig.pid('A'));
}

/** No event tells of a signal to `pid`. */
function expectNoSignal(rig: Rig, pid: number): void {
  expect(rig.events().filter((event) => event['event'] === 'signal' && event['pid'] === pid)).toEqual([]);
}

it.concurrent.for(['its own start time', 'the start time of the worker'])(
  'never touches a stranger that has the PID of the record, with %s',
  async (which, context) => {
    const rig = rigFor(context, PLAN);
    const stranger = startStranger(context);
    await launchAndKill(rig);
    await untilGrownUp(stranger.pid);
    forge(rig, stranger.pid, which === 'its own start time' ? { start_time: startTimeOf(stranger.pid) } : {});

    expect(verdictsOf(await statusOf(rig))).toEqual({
      A: { status: 'running', verdict: 'crashed', alive: false },
    });
    const dry = json<{ actions: { pid: number }[] }>(await rig.orch(['reap', '--dry-run', '--json']));
    expect(dry.actions.map(({ pid }) => pid)).not.toContain(stranger.pid);
    expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
    expect(rig.record('A')).toMatchObject({ status: 'crashed', reason: { code: 'lost' } });
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2 });
    await expectAllDone(rig, ['A']);
    expectNoSignal(rig, stranger.pid);
    expect(isAlive(stranger.pid)).toBe(true);
  },
);

it.concurrent('never stops a stranger that has the PID of the record', async (context) => {
  const rig = rigFor(context, PLAN);
  const stranger = startStranger(context);
  await launchAndKill(rig);
  await untilGrownUp(stranger.pid);
  forge(rig, stranger.pid, { start_time: startTimeOf(stranger.pid) });
  expect(await rig.orch(['stop', 'A'])).toMatchObject({ code: 0 });
  expect(rig.status('A')).toBe('stopped');
  expectNoSignal(rig, stranger.pid);
  expect(isAlive(stranger.pid)).toBe(true);
});

it.concurrent('never touches a stranger that only the PID files name', async (context) => {
  const rig = rigFor(context, PLAN);
  const stranger = startStranger(context);
  await launchAndKill(rig);
  for (const name of ['A', '_orchestrator']) rig.write(`.pids/${name}.pid`, `${stranger.pid}\n`);
  expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
  release(rig, 'go');
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, ['A']);
  expectNoSignal(rig, stranger.pid);
  expect(isAlive(stranger.pid)).toBe(true);
});

it.concurrent('takes no stranger for the orchestrator', async (context) => {
  const rig = rigFor(context, PLAN);
  const stranger = startStranger(context);
  await launchAndKill(rig);
  const orchestrator = JSON.parse(rig.read('.status/_orchestrator.json')) as { identity: object };
  // The same PID again, of another process: its start time tells.
  rig.write('.status/_orchestrator.json', JSON.stringify({ ...orchestrator, pid: stranger.pid }));
  expect((await statusOf(rig)).orchestrator).toMatchObject({ pid: stranger.pid, alive: false });
  expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
  release(rig, 'go');
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, ['A']);
  expect(isAlive(stranger.pid)).toBe(true);
});

it.concurrent.for(['elsewhere', 'in the worktree'])(
  "leaves a person's shell in the worktree alone, its terminal opened %s",
  async (where, context) => {
    const rig = rigFor(context, PLAN);
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    await untilRuns(rig, 'A', 'two');
    const cwd = join(rig.root, '.worktrees/A');
    const note = join(rig.aside, 'shell');
    const script = `cd "${cwd}"; echo $$ > "${note}"; sleep 120`;
    const place = where === 'elsewhere' ? rig.aside : cwd;
    const terminal = startStranger(context, ['python3', tool('terminal.py'), 'sh', '-c', script], {
      cwd: place,
      stdin: 'pipe',
    });
    const read = (): number => (existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0);
    const shell = await until(read, { what: 'the shell', boundMs: BOUND_MS });

    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('A'));
    const reaped = await rig.orch(['reap', '--json']);
    expect(reaped).toMatchObject({ code: 0 });
    const { actions, bystanders } = json<{
      actions: { pid: number }[];
      bystanders: { pid: number; workstream: string }[];
    }>(reaped);
    expect(bystanders).toContainEqual(expect.objectContaining({ pid: shell, workstream: 'A' }));
    expect(actions.map(({ pid }) => pid)).not.toContain(shell);
    expect(isAlive(shell)).toBe(true);

    const reattach = rig.start(['reattach']);
    await untilRuns(rig, 'A', 'two', 2);
    expect(isAlive(shell)).toBe(true);
    expect(await rig.orch(['stop', 'A'])).toMatchObject({ code: 0 });
    expect(await reattach.finished).toMatchObject({ code: 1 });
    expect(rig.status('A')).toBe('stopped');
    expect(isAlive(shell)).toBe(true);
    expectNoSignal(rig, shell);
    expectNoSignal(rig, terminal.pid);
    terminal.stdin?.end();
    await until(() => !isAlive(shell), { what: 'the shell to end with its terminal' });
  },
);
