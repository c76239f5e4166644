import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { recordPath } from '../../lib/protocol/layout.ts';
import type { CheckResult, StatusRecord, ToolRun } from '../../lib/protocol/status.ts';
import { createRecord, leaseOf, readRecord } from '../../lib/store/records.ts';
import { makeReporter, type Reporter } from '../../lib/worker/report.ts';
import { plainRecord } from '../protocol/arbitraries.ts';
import { endAll, makeRoot } from '../store/run-program.ts';

afterEach(endAll);

const ID = 'WS-001';
const actor = { role: 'test', pid: process.pid };
const identity = { host: 'h', boot_id: 'b', pid_namespace: 'n', start_time: 1, session: null, token: 't' };
const RUNS = 60;

async function reporterIn(root: string): Promise<Reporter> {
  const first = plainRecord({ status: 'running', pid: 1, identity, attempt: 1 });
  expect(await createRecord(root, actor, first)).toMatchObject({ ok: true });
  const onLost = (): void => {
    throw new Error('the lease was lost');
  };
  return makeReporter(root, first, leaseOf(first), actor, onLost);
}

function onDisk(root: string): StatusRecord {
  const read = readRecord(root, ID);
  if (read.kind !== 'record') throw new Error(`the record is ${read.kind}`);
  return read.record;
}

const runOf = (task: number): ToolRun => ({
  task,
  tool: 'command',
  outcome: 'done',
  seconds: 1,
  exit_code: 0,
  tokens: null,
  cost: null,
  log: [0, 1],
  err: [0, 1],
});
const checkOf = (number: number): CheckResult => ({
  text: `${'what must hold '.repeat(10)}${number}`,
  kind: 'prose',
  passed: null,
  seconds: null,
});

/** As a worker does: news without lists between those that add to one. */
async function tellAll(reporter: Reporter, atHalf: () => void = () => undefined): Promise<void> {
  for (let number = 1; number <= RUNS; number += 1) {
    await reporter.progress({ current_task: `task ${number}` });
    await reporter.progress({ tool_runs: [...reporter.record().tool_runs, runOf(number)] });
    await reporter.progress({ checks: [...reporter.record().checks, checkOf(number)] });
    if (number === RUNS / 2) atHalf();
  }
  await reporter.progress({ current_task: 'the end' });
}

describe('the lists of a record that are too long for it', () => {
  it.each([
    ['', () => undefined],
    [', though the record is lost on the way', (root: string) => rmSync(recordPath(root, ID))],
  ])('are known whole to the worker, and their totals are true%s', async (_, atHalf) => {
    const root = makeRoot();
    const reporter = await reporterIn(root);
    await tellAll(reporter, () => atHalf(root));
    const { tool_runs, checks } = reporter.record();
    expect(tool_runs.map(({ task }) => task)).toEqual(Array.from({ length: RUNS }, (__, index) => index + 1));
    expect(checks).toHaveLength(RUNS);
    expect(onDisk(root)).toMatchObject({ tool_runs_total: RUNS, checks_total: RUNS });
    expect(onDisk(root).tool_runs.at(-1)?.task).toBe(RUNS);
    const reason = { code: 'error', message: 'm', hint: null };
    await reporter.end({ type: 'end', status: 'failed', exitCode: 1, signal: null, reason });
    expect(onDisk(root)).toMatchObject({ status: 'failed', tool_runs_total: RUNS, checks_total: RUNS });
  });
});
