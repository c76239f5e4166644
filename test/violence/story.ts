import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { snapshot } from '../../lib/proof/checkout.ts';
import type { AskedWorkstream, Checkout } from '../../lib/proof/evidence.ts';
import { gather } from '../../lib/proof/gather.ts';
import { judge } from '../../lib/proof/judge.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import { expectAllDone } from '../rig/ledger.ts';
import { type Finished, type Rig, signal, until } from '../rig/repository.ts';
import type { Strike } from './cases.ts';
import { type Armed, furnish, idsOf, isUntouched, noteFolder, type Scenario } from './scenarios.ts';

/** A life with one strike in it, the recovery, and what must be true afterwards. */

const REST_BOUND_MS = 240_000;

/** Plays a scenario until the strike, or until nothing goes on any more. */
export async function play(rig: Rig, scenario: Scenario, armed: Armed): Promise<Finished> {
  await scenario.prepare?.(rig, armed);
  const child = rig.start(scenario.command, armed.env);
  let finished: Finished | null = null;
  void child.finished.then((result) => {
    finished = result;
  });
  const isOver = (): boolean => armed.isStruck() || (finished !== null && rig.processes().length === 0);
  const isAtRest = (): boolean => isOver() || (scenario.stops === true && finished !== null);
  await until(isAtRest, { what: `${scenario.command.join(' ')} to be over`, boundMs: REST_BOUND_MS });
  scenario.later?.(rig);
  if (scenario.stops === true && !armed.isStruck())
    await until(() => armed.isStruck() || rig.processes().length === 0, {
      what: 'all to end',
      boundMs: REST_BOUND_MS,
    });
  return bounded(rig, child);
}

/** What a command printed; one that hangs is ended, and that is a failure. */
async function bounded(rig: Rig, child: ReturnType<Rig['start']>): Promise<Finished> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      signal(child.pid, 'SIGKILL');
      reject(new Error(`pid ${child.pid} in ${rig.root} did not end within ${REST_BOUND_MS} ms`));
    }, REST_BOUND_MS);
  });
  try {
    return await Promise.race([child.finished, late]);
  } finally {
    clearTimeout(timer);
  }
}

const orch = (rig: Rig, ...args: string[]): Promise<Finished> => bounded(rig, rig.start(args));

/** Strikes once. False where the place was not passed this time: it all went another way. */
export async function strike(
  rig: Rig,
  scenario: Scenario,
  { role, name, mode, pass }: Strike,
): Promise<boolean> {
  const asked = furnish(rig, scenario);
  const before = await snapshot(rig.root);
  const once = join(noteFolder(rig), 'once');
  const env = { ORCH_FAILPOINT: `${role}/${name}:${mode}:${pass}`, ORCH_FAILPOINT_ONCE: once };
  const finished = await play(rig, scenario, { env, isStruck: () => existsSync(once) });
  if (!existsSync(once)) return false;
  const isCommand = role === scenario.command[0];
  if (isCommand && mode === 'error') expectCoded(finished);
  await recover(rig, scenario, mode);
  await expectGuarantees(rig, scenario, asked, before);
  return true;
}

/** One `orch reattach`, one `orch reap`; then a person's word where one is due; then all must be well. */
async function recover(rig: Rig, scenario: Scenario, mode: Strike['mode']): Promise<void> {
  const ids = idsOf(scenario);
  expectCoded(await orch(rig, 'reattach'));
  if (isUntouched(rig)) {
    expect(rig.git('for-each-ref', 'refs/orch', 'refs/heads/orch')).toBe('');
    expect(await orch(rig, 'launch')).toMatchObject({ code: 0 });
    await orch(rig, 'reattach');
  }
  const states = ids.map((id) => rig.status(id));
  const allowed = endsOf(rig, scenario, mode);
  for (const state of states) expect(allowed).toContain(state);
  if (mode === 'error') expectReasons(rig, ids);
  if (!states.every(isDone)) {
    await orch(rig, 'retry', '--failed');
    expect(await orch(rig, 'reattach')).toMatchObject({ code: 0 });
  }
  expect(await orch(rig, 'reap')).toMatchObject({ code: 0 });
}

/** What `lib/proof` finds wrong is wrong; where tasks do not note what it reads, the same by simpler means. */
async function expectGuarantees(
  rig: Rig,
  scenario: Scenario,
  asked: readonly AskedWorkstream[],
  before: Checkout,
): Promise<void> {
  const ids = idsOf(scenario);
  for (const id of ids) expect(DONE).toContain(rig.status(id));
  await until(() => rig.processes().length === 0, { what: `no process of ${rig.root} to be left` });
  expectNoRubbish(rig);
  if (scenario.wishes === undefined) {
    if (scenario.holds === undefined) {
      await expectAllDone(
        rig,
        ids.filter((id) => notesRuns(scenario, id)),
      );
      expectContent(rig, scenario);
    } else scenario.holds(rig);
    expect(await snapshot(rig.root)).toEqual(before);
    return;
  }
  const { root, aside } = rig;
  const end = { recovered: true, reaped: true, restartLimit: 2 };
  expect(judge(await gather({ root, aside, asked, before, ...end }))).toEqual([]);
}

const DONE = ['completed', 'merged'];
const isDone = (state: unknown): boolean => DONE.some((one) => one === state);

/** How workstreams may end without another word of a person. */
function endsOf(rig: Rig, { ends }: Scenario, mode: Strike['mode']): string[] {
  const failed = mode === 'error' ? ['failed', 'blocked'] : [];
  const isHeld = existsSync(join(rig.root, '.status/_hold.json'));
  return [...DONE, ...failed, ...(ends ?? []), ...(isHeld ? ['pending'] : [])];
}

/** Whatever goes wrong is told as what it is, and not as a fault of orch. */
function expectCoded({ code, stderr }: Finished): void {
  expect(code).not.toBeNull();
  expect(stderr).not.toContain('This is a fault of orch');
}

function expectReasons(rig: Rig, ids: readonly string[]): void {
  for (const id of ids) {
    const { status, reason } = rig.record(id);
    if (status === 'failed') expect(reason).toMatchObject({ code: expect.not.stringContaining('internal') });
  }
}

/** A model has no script that could note its runs: its acceptance tests say whether all is there. */
function notesRuns({ workstreams = [] }: Scenario, id: string): boolean {
  return JSON.stringify(workstreams.find((one) => one.id === id)).includes('step.sh');
}

/** Each workstream's branch holds what its tasks wrote, whole. */
function expectContent(rig: Rig, { workstreams = [] }: Scenario): void {
  for (const { id, ...fields } of workstreams) {
    expect(rig.git('ls-tree', '-r', '--name-only', `orch/${id}`)).not.toContain('.orch-edit-');
    for (const [, task = ''] of JSON.stringify(fields).matchAll(/step\.sh (\w+)/g)) {
      expect(rig.git('show', `orch/${id}:${task}.txt`)).toBe(`whole ${task}\n`);
    }
  }
}

const TEMPORARY = /\.(json|stop|pid)\.\d{1,10}$|\.lock$/;

/** No record is torn, and nothing of an interrupted write is left once it was reaped. */
function expectNoRubbish(rig: Rig): void {
  for (const folder of ['.status', '.pids']) {
    const names = readdirSync(join(rig.root, folder));
    expect(names.filter((name) => TEMPORARY.test(name) && !name.startsWith('_hold'))).toEqual([]);
    for (const name of names.filter((one) => one.endsWith('.json') && !one.startsWith('_'))) {
      expect([name, parseRecord(rig.read(`${folder}/${name}`)).kind]).not.toContain('unreadable');
    }
  }
}
