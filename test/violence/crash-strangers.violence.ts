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
import { type Finished, isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

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

type Who = { pid: number; start_time?: number };

/** A record as it is after its worker was killed, with its PID and start time replaced. */
function forge(rig: Rig, id: string, { pid, ...identity }: Who): void {
  const record = rig.record(id);
  const forged = { ...(record['identity'] as object), ...identity };
  rig.write(`.status/${id}.json`, JSON.stringify({ ...record, pid, identity: forged }));
  rig.write(`.pids/${id}.pid`, `${pid}\n`);
}

async function launchAndKill(rig: Rig, ids: readonly string[]): Promise<void> {
  expect(await rig.orch(['launch', '--max-parallel', '9'])).toMatchObject({ code: 0 });
  for (const id of ids) await untilRuns(rig, id, 'two');
  await killHard(await orchestratorOf(rig));
  for (const id of ids) await killHard(rig.pid(id));
}

/** It lives, and no event tells of a signal to it. */
function expectUntouched(rig: Rig, pid: number): void {
  expect(rig.events().filter((event) => event['event'] === 'signal' && event['pid'] === pid)).toEqual([]);
  expect(isAlive(pid)).toBe(true);
}

it.concurrent('strangers that have the PID of a record, a PID file or the orchestrator are never touched', async (context) => {
  const ids = ['own-start', 'start-of-the-worker', 'pid-file', 'stopped'];
  const rig = rigFor(context, { workstreams: ids.map((id) => stepsOf(id, ['one', 'two:go'])) });
  const { pid } = startStranger(context);
  await launchAndKill(rig, ids);
  await untilGrownUp(pid);
  for (const id of ['own-start', 'stopped']) forge(rig, id, { pid, start_time: startTimeOf(pid) });
  forge(rig, 'start-of-the-worker', { pid });
  for (const name of ['pid-file', '_orchestrator']) rig.write(`.pids/${name}.pid`, `${pid}\n`);
  const orchestrator = JSON.parse(rig.read('.status/_orchestrator.json')) as object;
  rig.write('.status/_orchestrator.json', JSON.stringify({ ...orchestrator, pid }));

  const shown = await statusOf(rig);
  expect(shown.orchestrator).toMatchObject({ pid, alive: false });
  const crashed = { status: 'running', verdict: 'crashed', alive: false };
  expect(verdictsOf(shown)).toEqual(Object.fromEntries(ids.map((id) => [id, crashed])));
  expect(await rig.orch(['stop', 'stopped'])).toMatchObject({ code: 0 });
  const pids = (finished: Finished): unknown[] =>
    json<{ actions: { pid: unknown }[] }>(finished).actions.map((action) => action.pid);
  expect(pids(await rig.orch(['reap', '--dry-run', '--json']))).not.toContain(pid);
  expect(pids(await rig.orch(['reap', '--json']))).not.toContain(pid);
  expect(rig.record('stopped')).toMatchObject({ status: 'stopped', reason: { code: 'stopped' } });
  const others = ids.filter((id) => id !== 'stopped');
  for (const id of others)
    expect(rig.record(id)).toMatchObject({ status: 'crashed', reason: { code: 'lost' } });
  expectUntouched(rig, pid);

  release(rig, 'go');
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
  await expectAllDone(rig, others);
  for (const id of others) expect(rig.record(id)).toMatchObject({ attempt: 2 });
  expectUntouched(rig, pid);
});

it.concurrent("a person's shell in a worktree is left alone, wherever its terminal was opened", async (context) => {
  const rig = rigFor(context, { workstreams: ['A', 'B'].map((id) => stepsOf(id, ['one', 'two:go'])) });
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');
  const open = async (id: string, where: string): Promise<{ shell: number; terminal: ChildProcess }> => {
    const note = join(rig.aside, `shell-${id}`);
    const script = `cd "${join(rig.root, '.worktrees', id)}"; echo $$ > "${note}"; sleep 120`;
    const command = ['python3', tool('terminal.py'), 'sh', '-c', script];
    const terminal = startStranger(context, command, { cwd: where, stdin: 'pipe' });
    const read = (): number => (existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0);
    return { shell: await until(read, { what: 'the shell', boundMs: BOUND_MS }), terminal };
  };
  // As of a terminal window or sshd, and as of a tmux that was started in the worktree.
  const opened = [await open('A', rig.aside), await open('B', join(rig.root, '.worktrees/B'))];
  const shells = opened.map(({ shell }) => shell);

  await killHard(await orchestratorOf(rig));
  for (const id of ['A', 'B']) await killHard(rig.pid(id));
  const reaped = await rig.orch(['reap', '--json']);
  expect(reaped).toMatchObject({ code: 0 });
  type Reaped = { actions: { pid: number }[]; bystanders: { pid: number; workstream: string }[] };
  const { actions, bystanders } = json<Reaped>(reaped);
  for (const [at, id] of ['A', 'B'].entries()) {
    expect(bystanders).toContainEqual(expect.objectContaining({ pid: shells[at], workstream: id }));
    expect(actions.map(({ pid }) => pid)).not.toContain(shells[at]);
  }
  const reattach = rig.start(['reattach']);
  for (const id of ['A', 'B']) await untilRuns(rig, id, 'two', 2);
  // At the end of a task and of a stop, too, the worker sweeps its worktree.
  expect(await rig.orch(['stop', 'A', '--grace', '60s'])).toMatchObject({ code: 0 });
  release(rig, 'go');
  expect(await reattach.finished).toMatchObject({ code: 1 });
  expect(['A', 'B'].map((id) => rig.status(id))).toEqual(['stopped', 'completed']);
  for (const { shell, terminal } of opened) {
    expectUntouched(rig, shell);
    expectUntouched(rig, terminal.pid ?? 0);
    terminal.stdin?.end();
    await until(() => !isAlive(shell), { what: 'the shell to end with its terminal' });
  }
});
