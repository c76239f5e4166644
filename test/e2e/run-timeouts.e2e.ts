import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { type Finished, isAlive, makeRepository, type Rig, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/**
 * Each bound is short for one workstream and long for the others, so that it is clear which one was met; and none is so
 * short that a busy machine meets it before the command has begun.
 */

let out = '';
let rig: Rig;
let waited: Finished;

const ticks = 'while sleep 0.2; do echo tick; done';
const planOf = (folder: string): unknown[] => [
  { id: 'workstream', tasks: [{ run: `echo $$ > ${folder}/workstream; echo half > half.txt; ${ticks}` }] },
  { id: 'task', timeout: '5m', tasks: [{ run: `echo $$ > ${folder}/task; ${ticks}`, timeout: '4s' }] },
  // Nothing but its bound ends it: not a polite signal either.
  {
    id: 'stubborn',
    timeout: '5m',
    task_timeout: '4s',
    tasks: [{ run: `trap '' TERM; echo $$ > ${folder}/stubborn; ${ticks}` }],
  },
  { id: 'stalled', timeout: '5m', tasks: [{ run: `echo $$ > ${folder}/stalled; sleep 300` }] },
  { id: 'setup', timeout: '5m', setup: [`echo $$ > ${folder}/setup; sleep 300`], tasks: [{ run: 'true' }] },
  {
    id: 'check',
    timeout: '5m',
    tasks: [{ run: 'true' }],
    acceptance_tests: [{ run: `echo $$ > ${folder}/check; sleep 300` }],
  },
  { id: 'dependent', depends_on: ['task'], tasks: [{ run: 'true' }] },
];

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
  rig = makeRepository(planOf(out));
  await rig.orch(['launch', '--max-parallel', '10', '--timeout', '20s', '--stall-timeout', '7s']);
  waited = await rig.orch(['wait', '--timeout', '120s']);
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
}, 180_000);

afterAll(async () => {
  await rig.end();
  rmSync(out, { recursive: true, force: true });
});

beforeEach(() => onTestFailed(() => showLogs(rig.root)));

const reason = (id: string) =>
  rig.record(id)['reason'] as { code: string; message: string; hint: string | null };

describe('what takes too long', () => {
  it('ends as timed_out with its code', () => {
    expect(waited.code).toBe(1);
    const codes: Record<string, string> = {
      workstream: 'timeout',
      task: 'timeout',
      stubborn: 'timeout',
      stalled: 'stalled',
      setup: 'setup_failed',
    };
    for (const [id, code] of Object.entries(codes)) {
      expect([id, rig.status(id), reason(id).code]).toEqual([id, 'timed_out', code]);
      expect(rig.record(id)['exit_code']).toBeNull();
    }
    expect(rig.record('task')['tool_runs']).toMatchObject([{ outcome: 'timeout', exit_code: null }]);
    expect(rig.record('stalled')['tool_runs']).toMatchObject([{ outcome: 'stalled', exit_code: null }]);
  });

  it('is no success where it is an acceptance test', () => {
    expect(rig.status('check')).toBe('failed');
    expect(rig.record('check')['checks']).toMatchObject([{ passed: false }]);
  });

  it('blocks what depends on it', () => {
    expect([rig.status('dependent'), rig.record('dependent')['blocked_by']]).toEqual(['blocked', ['task']]);
  });

  it('leaves no process', () => {
    for (const name of ['workstream', 'task', 'stubborn', 'stalled', 'setup', 'check']) {
      expect([name, isAlive(Number(readFileSync(join(out, name), 'utf8')))]).toEqual([name, false]);
    }
    expect(rig.processes()).toEqual([]);
  });

  it('loses nothing: half-done edits are salvaged', () => {
    expect(rig.git('show', 'refs/orch/salvage/workstream/1:half.txt')).toBe('half\n');
  });

  it('ends within its bound and some seconds', () => {
    const seconds = (id: string): number =>
      Number(rig.record(id)['ended_at']) - Number(rig.record(id)['started_at']);
    for (const id of ['workstream', 'task', 'stubborn', 'stalled']) expect(seconds(id)).toBeLessThan(60);
  });
});
