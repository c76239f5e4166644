import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { belongsTo, findAll, kill, look } from './processes.ts';
import { check, type Score, tell } from './score.ts';
import { cleanEnv, git } from './shell.ts';
import { type Recorded, readPid, readRecords } from './state.ts';

/** What the killing left to verify. `salvage`: the killed worker had edits that no checkpoint held. */
export type Ordeal = { killed: string; checkpoint: string; salvage: boolean };

type Stage = { orch: string; root: string; planPath: string; start: number; score: Score };

const LAUNCH_LIMIT_MS = 60_000;
const MIDDLE_LIMIT_MS = 120_000;
const REATTACH_LIMIT_MS = 300_000;

/** Launches the plan, kills launcher, orchestrator and a worker with -9, and reattaches until the end. */
export async function surviveKills(stage: Stage): Promise<Ordeal> {
  await launchAndKill(stage);
  await killOrchestrator(stage);
  const ordeal = await killWorker(stage);
  await runOrch(stage, ['status']);
  tell(stage.start, 'orch reattach');
  const code = await runOrch(stage, ['reattach']);
  tell(stage.start, `reattach ended with ${code}`);
  check(stage.score, 'reattach finishes the job (exit code 0)', code === 0, `exit code ${code}`);
  return ordeal;
}

async function launchAndKill({ orch, root, planPath, start, score }: Stage): Promise<void> {
  const log = openSync(join(dirname(root), 'launch.log'), 'a');
  const args = [orch, 'launch', planPath, '--root', root, '--max-parallel', '4'];
  const stdio = ['ignore', log, log] as const;
  // Held up once others can go on, so that it is there to be killed however late this process looks.
  const env = { ...cleanEnv(), ORCH_FAILPOINT: 'launch/store.orchestrator-lock.free:delay:60000' };
  const launcher = spawn(process.execPath, args, { detached: true, stdio: [...stdio], env });
  closeSync(log);
  const ended = end(launcher);
  const { pid } = launcher;
  // Not spawned: this rejects with the reason. A pid of 0 must never reach kill, it means our own group.
  if (pid === undefined) return void (await ended);
  tell(start, `orch launch is process ${pid}`);
  const first = await until(LAUNCH_LIMIT_MS, () =>
    readRecords(root).find(({ status }) => status === 'starting' || status === 'running'),
  );
  // The whole group: what survives must have left the launcher's session, as after an SSH drop.
  if (launcher.exitCode === null && launcher.signalCode === null) kill(-pid);
  const { signal } = await ended;
  tell(
    start,
    `kill -9 of the launcher, with ${first?.workstream ?? 'nothing'} ${first?.status ?? 'started'}`,
  );
  check(score, 'the launcher was killed at its work', signal === 'SIGKILL', 'it had ended already');
}

async function killOrchestrator({ root, start, score }: Stage): Promise<void> {
  const running = () => readRecords(root).filter(({ status }) => status === 'running');
  await until(LAUNCH_LIMIT_MS, () => running().length >= 2);
  const pid = await until(LAUNCH_LIMIT_MS, () => readPid(join(root, '.pids', '_orchestrator.pid')));
  const found = pid === null ? null : look(pid);
  const ours = found !== null && (belongsTo(found, root) || found.command.includes('orch.js'));
  const killed = pid !== null && ours && kill(pid);
  tell(start, `kill -9 of the orchestrator, process ${pid}, with ${running().length} workers running`);
  check(score, 'the orchestrator was killed', killed, `process ${pid}: ${found?.command ?? 'not there'}`);
}

async function killWorker({ root, start, score }: Stage): Promise<Ordeal> {
  const target = await until(MIDDLE_LIMIT_MS, () => inTheMiddle(root));
  const pid = target === null ? null : readPid(join(root, '.pids', `${target.workstream}.pid`));
  const found = pid === null ? null : look(pid);
  if (target === null || pid === null || found === null || !belongsTo(found, root) || !kill(pid)) {
    throw new Error(`no worker in the middle of a task to kill (${target?.workstream}, process ${pid})`);
  }
  const checkpoint = await git(root, 'rev-parse', `refs/orch/checkpoint/${target.workstream}`);
  const mine = `ORCH_WORKSTREAM=${target.workstream}`;
  const left = findAll(root).filter(({ environment }) => environment.includes(mine));
  tell(
    start,
    `kill -9 of ${target.workstream} (process ${pid}) at ${target.progress}; ${left.length} processes left over`,
  );
  check(score, 'a worker was killed in the middle of a task', true);
  return { killed: target.workstream, checkpoint, salvage: await isDirty(root, target.workstream) };
}

/** A worker that has done a task, and has begun to change files in one that takes its time. */
async function inTheMiddle(root: string): Promise<Recorded | null> {
  for (const seen of readRecords(root)) {
    const slow = seen.current_task?.includes('each.sh') === true;
    if (seen.status !== 'running' || !slow || /^0\//.test(seen.progress)) continue;
    if (await isDirty(root, seen.workstream)) return seen;
  }
  return null;
}

async function isDirty(root: string, id: string): Promise<boolean> {
  const tree = join(root, '.worktrees', id);
  return (await git(tree, '--no-optional-locks', 'status', '--porcelain')) !== '';
}

/** Exit code of an orch command that prints to this terminal; it is killed after five minutes. */
async function runOrch({ orch, root }: Stage, args: string[]): Promise<number | null> {
  const child = spawn(process.execPath, [orch, ...args, '--root', root], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: cleanEnv(),
    timeout: REATTACH_LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  return (await end(child)).code;
}

function end(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** What `probe` finds, as soon as it does; null after `limitMs`. */
async function until<T>(
  limitMs: number,
  probe: () => T | null | undefined | false | Promise<T | null>,
): Promise<T | null> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    const found = await probe();
    if (found) return found;
    await delay(10);
  }
  return null;
}
