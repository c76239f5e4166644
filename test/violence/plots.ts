import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'vitest';
import type { Violation } from '../../lib/proof/evidence.ts';
import { judge } from '../../lib/proof/judge.ts';
import type { Wish } from '../../lib/proof/material.ts';
import { bystander } from '../../lib/proof/processes.ts';
import { isAlive, personEnvironment, signal, until, wholeLines } from '../rig/repository.ts';
import { durabilityFaults } from './durability.ts';
import { innerPid, makeNamespace, type Namespace, outerPid, wordsOf } from './namespace.ts';
import { BOUND_MS, beginTrial, killAll, livePid, type Trial, untilQuiet } from './trial.ts';

/** Lives in which one safeguard after the other is all that stands between orch and a broken guarantee. */
export type Plot = (context: Context, dist: string) => Promise<Violation[]>;
type Context = Pick<TestContext, 'onTestFinished'>;

const waiting: Wish[] = [{ id: 'a', tasks: [['write:src/a/begun.%a.txt', 'wait:go']] }];

/** Launches, and waits until `a` is in its task. */
async function launched(context: Context, dist: string, wishes = waiting): Promise<Trial> {
  const trial = await beginTrial(context, dist, wishes);
  await trial.rig.orch(['launch']);
  await trial.untilNoted({ what: 'beat', workstream: 'a' });
  return trial;
}

const failpointOf = (trial: Trial, order: string): Record<string, string> => {
  return { ORCH_FAILPOINT: order, ORCH_FAILPOINT_ONCE: join(trial.aside, 'once') };
};

/** The PIDs, as they know themselves, of those who passed a place of `names` by now; `ROLE NAME` each. */
function passedBy(trace: string, ...names: string[]): number[] {
  return wholeLines(trace).flatMap((line) =>
    names.some((name) => line.startsWith(`${name} `)) ? [Number(line.split(' ').at(-1))] : [],
  );
}

const struck = (trial: Trial): Promise<boolean> =>
  until(() => existsSync(join(trial.aside, 'once')), { what: 'the strike', boundMs: BOUND_MS });

/** The launcher dies when its child is there and no record of it is. */
async function launcherDies(context: Context, dist: string): Promise<Violation[]> {
  const trial = await beginTrial(context, dist, waiting);
  const { rig, root } = trial;
  rig.start(['launch'], failpointOf(trial, '_orchestrate/executors.worker.waits:kill'));
  await struck(trial);
  await untilQuiet(rig);
  const found = judge(await trial.evidence({ recovered: false, reaped: false }));
  const said = readFileSync(join(root, '.logs/a.err'), 'utf8');
  const what = `a child whose launcher died before the record went on: ${said}`;
  return said === '' ? found : [...found, { guarantee: 1, workstream: 'a', what }];
}

/** A person repeats their word while the first command is held up in the middle of its write. */
async function wordTwice(context: Context, dist: string): Promise<Violation[]> {
  const trial = await beginTrial(context, dist, [{ id: 'a', tasks: [['fail-once', 'wait:go']] }]);
  const { rig, aside } = trial;
  await rig.orch(['launch']);
  await trial.untilNoted({ what: 'failed' });
  await untilQuiet(rig);
  const trace = join(aside, 'trace');
  const env = { ORCH_FAILPOINT: 'retry/store.record.write:delay:9000', ORCH_FAILPOINT_TRACE: trace };
  const slow = rig.start(['retry', 'a'], env);
  const isHeld = (): boolean => passedBy(trace, 'retry store.record.write').length > 0;
  await until(isHeld, { what: 'the first word to be held up', boundMs: BOUND_MS });
  // Frozen in it, however long the second word and its worker take.
  signal(slow.pid, 'SIGSTOP');
  const { code } = await rig.orch(['retry', 'a']);
  if (code === 0) await trial.untilNoted({ what: 'start', attempt: 2 });
  signal(slow.pid, 'SIGCONT');
  await slow.finished;
  trial.release('go');
  const recovered = await trial.recover();
  return judge(await trial.evidence({ recovered, reaped: recovered }));
}

/** Two orchestrators are started before the first has been named. */
async function twoOrchestrators(context: Context, dist: string): Promise<Violation[]> {
  const trial = await launched(context, dist, [
    ...waiting,
    { id: 'b', dependsOn: ['a'], tasks: [['pause:5']] },
  ]);
  const { rig, aside } = trial;
  await killAll(await livePid(rig, '_orchestrator'));
  const trace = join(aside, 'trace');
  const unnamed = 'reattach/process.orchestrator.waits';
  const traced = { ORCH_FAILPOINT_TRACE: trace };
  const first = rig.start(['reattach'], { ...traced, ORCH_FAILPOINT: `${unnamed}:delay:9000` });
  await until(() => passedBy(trace, unnamed.replace('/', ' ')).length > 0, {
    what: 'an orchestrator that is about to be named',
    boundMs: BOUND_MS,
  });
  // Frozen before it names it, until the other has begun, or has come to the lock that keeps it away.
  signal(first.pid, 'SIGSTOP');
  const second = rig.start(['reattach'], traced);
  const come = ['_orchestrate store.role.announced', '_orchestrate store.orchestrator-lock.take'];
  await until(() => passedBy(trace, ...come).length > 0, {
    what: 'a second orchestrator',
    boundMs: BOUND_MS,
  });
  signal(first.pid, 'SIGCONT');
  const isFirstThere = (): boolean => new Set(passedBy(trace, ...come)).size > 1;
  await until(isFirstThere, { what: 'the first orchestrator', boundMs: BOUND_MS });
  trial.release('go');
  await Promise.all([first.finished, second.finished]);
  await untilQuiet(rig);
  const recovered = await trial.recover();
  return judge(await trial.evidence({ recovered, reaped: recovered }));
}

/** Worker and orchestrator die in the middle of a task. */
async function cutOff(context: Context, dist: string): Promise<Violation[]> {
  const trial = await launched(context, dist);
  const { rig } = trial;
  await killAll(await livePid(rig, '_orchestrator'), await livePid(rig, 'a'));
  trial.release('go');
  const recovered = await trial.recover();
  return judge(await trial.evidence({ recovered, reaped: recovered }));
}

/** A worker that nobody looks after dies at a failpoint; nobody recovers anything. */
function diesAlone(order: string): Plot {
  return async (context, dist) => {
    const trial = await beginTrial(context, dist, waiting);
    const { rig } = trial;
    await rig.orch(['launch'], { env: failpointOf(trial, order) });
    await trial.untilNoted({ what: 'beat' });
    await killAll(await livePid(rig, '_orchestrator'));
    trial.release('go');
    await struck(trial);
    await untilQuiet(rig);
    return judge(await trial.evidence({ recovered: false, reaped: false }));
  };
}

/** Runs a command of orch in a namespace, to its end or the bound; false at the bound. */
async function inside(space: Namespace, { dist, root }: Trial, args: string[], env = {}): Promise<boolean> {
  const child = space.start([process.execPath, join(dist, 'orch.js'), ...args], { cwd: root, env });
  let isOver = false;
  child.once('exit', () => {
    isOver = true;
  });
  const bound = performance.now() + 45_000;
  while (!isOver && performance.now() < bound) await new Promise((resolve) => setTimeout(resolve, 50));
  if (!isOver && child.pid !== undefined) signal(child.pid, 'SIGKILL');
  return isOver;
}

/** `orch launch` in a namespace, until `a` is in its task; the worker as the test sees it. */
async function launchedInside(trial: Trial, space: Namespace): Promise<number> {
  await inside(space, trial, ['launch']);
  await trial.untilNoted({ what: 'beat', workstream: 'a' });
  return until(() => outerPid(space, trial.rig.pid('a')), { what: 'the worker', boundMs: BOUND_MS });
}

const orchestratorsOf = ({ rig }: Trial): number[] =>
  rig.processes().flatMap(({ pid, command }) => (command.includes('_orchestrate') ? [pid] : []));

/** Worker and orchestrator die, and nobody waits for them: they stay as zombies. */
async function zombies(context: Context, dist: string): Promise<Violation[]> {
  const space = await makeNamespace(context, 3_000, 'leaves zombies');
  const trial = await beginTrial(context, dist, waiting);
  const worker = await launchedInside(trial, space);
  await killAll(...orchestratorsOf(trial), worker);
  trial.release('go');
  const recovered = await inside(space, trial, ['reattach']);
  // A recovery that does not come to its end is judged as one that left things as they are.
  if (!recovered) await killAll(...orchestratorsOf(trial));
  return judge(await trial.evidence({ recovered: true, reaped: false }));
}

/** Somebody cleans up in a container that cannot see the worker of another one. */
async function elsewhere(context: Context, dist: string): Promise<Violation[]> {
  const here = await makeNamespace(context, 3_000);
  const there = await makeNamespace(context, 7_000);
  const trial = await beginTrial(context, dist, waiting);
  await launchedInside(trial, here);
  await inside(there, trial, ['reap']);
  const found = judge(await trial.evidence({ recovered: false, reaped: false }));
  trial.release('go');
  return found;
}

/** Somebody cleans up who may not look at the worker. */
async function cannotLook(context: Context, dist: string): Promise<Violation[]> {
  const trial = await launched(context, dist);
  const { rig, root } = trial;
  await killAll(await livePid(rig, '_orchestrator'));
  const worker = await livePid(rig, 'a');
  // Frozen, it is still there when all is over, whatever was done to its tools.
  signal(worker, 'SIGSTOP');
  const { execa } = await import('execa');
  const inject = ['-f', '-qq', '-e', 'trace=openat', '-P', `/proc/${worker}/stat`];
  const failing = ['-e', 'inject=openat:error=EACCES', '-o', '/dev/null'];
  const command = [process.execPath, join(dist, 'orch.js'), 'reap'];
  const env = personEnvironment();
  await execa('strace', [...inject, ...failing, ...command], {
    cwd: root,
    env,
    extendEnv: false,
    reject: false,
  });
  return judge(await trial.evidence({ recovered: false, reaped: false }));
}

/** A worker wakes up after its record was lost and its workstream was begun anew under the same number. */
async function wakesUp(context: Context, dist: string): Promise<Violation[]> {
  const here = await makeNamespace(context, 3_000);
  const there = await makeNamespace(context, 7_000);
  const trial = await beginTrial(context, dist, waiting);
  const { rig, root } = trial;
  const worker = await launchedInside(trial, here);
  await killAll(...orchestratorsOf(trial));
  const tools = rig.processes().filter(({ pid }) => pid !== worker);
  for (const { pid } of [{ pid: worker }, ...tools]) signal(pid, 'SIGSTOP');
  const first = await trial.untilNoted({ what: 'start' });
  for (const name of ['a.json', 'a.lock', '_orchestrator.json', '_orchestrator.lock'])
    rmSync(join(root, '.status', name), { recursive: true, force: true });
  const recovery = inside(there, trial, ['reattach']);
  const again = await trial.untilNoted({
    what: 'start',
    attempt: 1,
    pid: await anotherPid(trial, first.pid),
  });
  if (again.token === first.token) throw new Error('it was not begun anew');
  await killAll(...tools.map(({ pid }) => pid));
  signal(worker, 'SIGCONT');
  await until(() => !isAlive(worker), { what: 'the first worker to end', boundMs: BOUND_MS });
  trial.release('go');
  const recovered = await recovery;
  return judge(await trial.evidence({ recovered, reaped: false }));
}

async function anotherPid({ aside }: Trial, pid: number): Promise<number> {
  const find = (): number => {
    const lines = readFileSync(join(aside, 'ledger'), 'utf8').split('\n');
    const starts = lines
      .filter((line) => line.startsWith('start '))
      .map((line) => Number(line.split(' ')[6]));
    return starts.find((one) => one !== pid) ?? 0;
  };
  return until(find, { what: 'a second start', boundMs: BOUND_MS });
}

/** Between the look at a leftover and its signal it ends, and a stranger gets its number. */
async function recycled(context: Context, dist: string): Promise<Violation[]> {
  const space = await makeNamespace(context, 3_000);
  const trial = await beginTrial(context, dist, [{ id: 'a', tasks: [['daemon', 'wait:go']] }]);
  const { rig, aside } = trial;
  const worker = await launchedInside(trial, space);
  const { pid: number } = await trial.untilNoted({ what: 'forked' });
  const leftover = await until(() => outerPid(space, number), { what: 'the leftover' });
  // Stopped, it has no children that come and go.
  signal(leftover, 'SIGSTOP');
  await killAll(...orchestratorsOf(trial), worker);
  await until(
    async () => {
      const others = rig.processes().filter(({ pid }) => pid !== leftover);
      for (const { pid } of others) signal(pid, 'SIGKILL');
      return others.length === 0;
    },
    { what: 'the leftover to be alone', boundMs: BOUND_MS },
  );
  const trace = join(aside, 'trace');
  const env = { ORCH_FAILPOINT: 'reap/process.signal.verify:delay:8000', ORCH_FAILPOINT_TRACE: trace };
  const reaped = inside(space, trial, ['reap'], env);
  const isHeld = (): number | null | undefined => {
    const [inner] = passedBy(trace, 'reap process.signal.verify');
    return inner === undefined ? null : outerPid(space, inner);
  };
  const held = await until(isHeld, { what: 'reap to look', boundMs: BOUND_MS });
  // Frozen after its look, however long the stranger takes to get the number.
  signal(held, 'SIGSTOP');
  await killAll(leftover);
  await until(() => outerPid(space, number) === null, { what: 'the number to be free', boundMs: BOUND_MS });
  const stranger = await takeNumber(space, number);
  trial.bystanders.push(await bystander(stranger, 'has a recycled number'));
  signal(held, 'SIGCONT');
  await reaped;
  return judge(await trial.evidence({ recovered: false, reaped: false }));
}

/** A stranger that has exactly this PID inside; its PID as the test sees it. */
async function takeNumber(space: Namespace, number: number): Promise<number> {
  const script = `
    tries=20000
    while [ "$tries" -gt 0 ]; do
      echo $((${number} - 1)) > /proc/sys/kernel/ns_last_pid
      sleep 300 &
      [ $! = ${number} ] && break
      kill -9 $!
      wait $! 2> /dev/null
      tries=$((tries - 1))
    done
    wait`;
  space.start(['sh', '-c', script]);
  // Not yet itself, or somebody else for a moment: init, too, starts processes there.
  const find = (): number => {
    const pid = outerPid(space, number) ?? 0;
    return wordsOf(pid)?.join(' ') === 'sleep 300' && innerPid(pid) === number ? pid : 0;
  };
  return until(find, { what: 'a stranger with the number', boundMs: BOUND_MS });
}

/** Every file that must survive a power cut is synced before it gets its name, and its folder after it. */
async function powerCut(context: Context, dist: string): Promise<Violation[]> {
  const trial = await beginTrial(context, dist, [{ id: 'a', tasks: [[]] }]);
  const { root, aside } = trial;
  const { execa } = await import('execa');
  const out = join(aside, 'strace');
  const calls = 'trace=rename,renameat,renameat2,link,linkat,fsync,fdatasync';
  const command = [process.execPath, join(dist, 'orch.js'), 'run'];
  const env = personEnvironment();
  const args = ['-f', '-y', '-qq', '-s', '4096', '-e', calls, '-o', out, ...command];
  await execa('strace', args, { cwd: root, env, extendEnv: false, reject: false });
  const status = join(root, '.status');
  const isRecord = (path: string): boolean => dirname(path) === status && path.endsWith('.json');
  const isGit = (path: string): boolean =>
    /(?:^|\/)(?:refs\/(?:orch|heads\/orch)\/[^.]+|objects\/[0-9a-f]{2}\/[0-9a-f]{38})$/.test(path);
  const trace = readFileSync(out, 'utf8');
  const { faults, renames } = durabilityFaults(
    trace,
    (path) => isRecord(path) || isGit(path),
    (path) => (isRecord(path) ? status : null),
  );
  if (renames < 5) throw new Error(`only ${renames} renames were traced`);
  return [...judge(await trial.evidence({ recovered: true, reaped: false })), ...faults];
}

export const PLOTS = {
  'launcher dies': launcherDies,
  'word twice': wordTwice,
  'two orchestrators': twoOrchestrators,
  'cut off': cutOff,
  'dies with its checkpoint': diesAlone('worker/worker.checkpoint.made:kill'),
  'dies before its last word': diesAlone('worker/worker.word.before:kill'),
  'power cut': powerCut,
  'cannot look': cannotLook,
  zombies,
  elsewhere,
  'wakes up': wakesUp,
  recycled,
} as const satisfies Record<string, Plot>;

/** Those that need a PID namespace. */
export const IN_NAMESPACES: ReadonlySet<keyof typeof PLOTS> = new Set([
  'zombies',
  'elsewhere',
  'wakes up',
  'recycled',
]);
