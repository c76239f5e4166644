import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventFact, Evidence, Guarantee } from '../../lib/proof/evidence.ts';
import { judge } from '../../lib/proof/judge.ts';
import type { LedgerEntry } from '../../lib/proof/ledger.ts';
import { evidenceOf, STORIES, soundHistory } from './histories.ts';

type Record = { [field: string]: unknown };

/** What was asked for in a hand-made history, or the test says what is missing. */
function the<T>(found: T | undefined): T {
  if (found === undefined) throw new Error('the history has no such thing');
  return found;
}

const chainOf = (evidence: Evidence, id: string) =>
  the(evidence.git.chains.find(({ workstream }) => workstream === id));
const recordOf = (evidence: Evidence, id: string) =>
  the(evidence.records.find(({ workstream }) => workstream === id));

/** Changes fields of the record of `id`. */
function edit(evidence: Evidence, id: string, changes: Record): void {
  const { parsed } = recordOf(evidence, id);
  if (parsed?.kind !== 'record') throw new Error(`no record of ${id}`);
  Object.assign(parsed.record, changes);
}

const entry = (evidence: Evidence, id: string, what: LedgerEntry['what'], attempt: number, task = 2) =>
  the(
    evidence.ledger.find(
      (one) => one.workstream === id && one.what === what && one.attempt === attempt && one.task === task,
    ),
  );

/** The ledger with one more note at its end. */
function append(evidence: Evidence, like: LedgerEntry, changes: Partial<LedgerEntry>): void {
  evidence.ledger.push({ ...like, order: evidence.ledger.length, ...changes });
}

const without = (evidence: Evidence, gone: LedgerEntry): void => {
  evidence.ledger.splice(evidence.ledger.indexOf(gone), 1);
};

function tell(evidence: Evidence, event: Partial<EventFact>): void {
  evidence.events.push({
    at: 500,
    actor: 'reap:9',
    event: 'state',
    workstream: 'A',
    why: 'because',
    ...event,
  });
}

const A_TOKEN = (evidence: Evidence, attempt: number): string => entry(evidence, 'A', 'start', attempt).token;
const worker = (attempt: number): string => `worker:A:${attempt}:${1_000 + attempt}`;
const tool = { kind: 'tool', command: 'sh child.sh', workstream: 'A' } as const;

const BREAKS: [Guarantee, string, (evidence: Evidence) => void][] = [
  [
    1,
    'a task saw an older worker',
    (e) => append(e, entry(e, 'A', 'start', 2), { what: 'overlap', detail: ['1001', 't'] }),
  ],
  [1, 'a child of an old attempt went on', (e) => append(e, entry(e, 'A', 'beat', 1), {})],
  [
    1,
    'two workers were seen',
    (e) => e.together.push({ workstream: 'A', pids: [1001, 1002], tokens: ['a', 'b'] }),
  ],
  [
    1,
    'an old attempt wrote its end',
    (e) => tell(e, { actor: 'orchestrator:50', from: 'running', to: 'failed', attempt: 1 }),
  ],
  [1, 'an attempt was started twice', (e) => tell(e, { from: 'pending', to: 'starting', attempt: 3 })],
  [1, 'a final state was left by itself', (e) => tell(e, { from: 'completed', to: 'running', attempt: 3 })],
  [1, 'the record fell back to an old attempt', (e) => edit(e, 'A', { attempt: 2 })],
  [
    1,
    'a worker wrote into the record of another',
    (e) => tell(e, { actor: worker(3), from: 'running', to: 'failed', attempt: 3, pid: 1_002 }),
  ],
  [
    1,
    'two tokens for one attempt',
    (e) => append(e, entry(e, 'A', 'start', 3), { what: 'beat', token: 'other' }),
  ],
  [
    1,
    "the record has a stranger's token",
    (e) => {
      for (const one of e.ledger) if (one.token === A_TOKEN(e, 3)) one.token = 'other';
    },
  ],
  [
    1,
    'an old attempt made a late checkpoint',
    (e) => Object.assign(the(chainOf(e, 'A').checkpoints.at(-1)), { attempt: 1 }),
  ],
  [
    1,
    'two orchestrators',
    (e) => {
      e.events.push({ ...the(e.events[0]), actor: 'orchestrator:60' });
      tell(e, { actor: 'orchestrator:50', event: 'spawn' });
    },
  ],

  [2, 'no record', (e) => Object.assign(recordOf(e, 'A'), { text: null, parsed: null })],
  [2, 'no record was even looked for', (e) => e.records.splice(0, 1)],
  [2, 'still running', (e) => edit(e, 'A', { status: 'running' })],
  [2, 'still pending', (e) => edit(e, 'E', { status: 'pending' })],
  [2, 'crashed with restarts left', (e) => edit(e, 'E', { status: 'crashed', restarts: 1 })],
  [2, 'blocked by nothing', (e) => edit(e, 'D', { blocked_by: [] })],
  [2, 'blocked by what is done', (e) => edit(e, 'D', { blocked_by: ['A'] })],

  [3, 'a chain that breaks', (e) => Object.assign(chainOf(e, 'A'), { fault: 'it leads nowhere' })],
  [3, 'checkpoints beside the branch', (e) => Object.assign(chainOf(e, 'A'), { onBranch: false })],
  [3, 'a task saved twice', (e) => chainOf(e, 'A').checkpoints.push(the(chainOf(e, 'A').checkpoints.at(-1)))],
  [
    3,
    'a repair of a task without a checkpoint',
    (e) => {
      const first = the(chainOf(e, 'A').checkpoints[0]);
      chainOf(e, 'A').checkpoints.unshift({ ...first, commit: '1'.repeat(40), repair: 1 });
    },
  ],
  [
    3,
    'a repair that is missing',
    (e) => {
      const last = the(chainOf(e, 'A').checkpoints.at(-1));
      chainOf(e, 'A').checkpoints.push({ ...last, repair: 2 });
    },
  ],
  [3, 'checkpoints in a wrong order', (e) => chainOf(e, 'A').checkpoints.reverse()],
  [
    3,
    'a commit of a tool as checkpoint',
    (e) => append(e, entry(e, 'A', 'committed', 3), { detail: [the(chainOf(e, 'A').checkpoints[1]).commit] }),
  ],
  [
    3,
    'a checkpoint without its work',
    (e) => Object.assign(the(chainOf(e, 'B').checkpoints[0]), { nonces: [] }),
  ],
  [3, 'a checkpoint of a run that was cut off', (e) => without(e, entry(e, 'A', 'end', 3))],
  [
    3,
    'a checkpoint with leftovers of an earlier run',
    (e) => the(chainOf(e, 'A').checkpoints[1]).nonces.push('nonce:A.2.1.1'),
  ],
  [
    3,
    'a checkpoint of another attempt than its run',
    (e) => Object.assign(the(chainOf(e, 'B').checkpoints[0]), { attempt: 2 }),
  ],
  [3, 'a finished task ran again', (e) => append(e, entry(e, 'A', 'start', 3), { task: 1, pid: 4_000 })],
  [3, 'a head that is not there', (e) => Object.assign(recordOf(e, 'A'), { headExists: false })],
  [3, 'a head that is no checkpoint', (e) => edit(e, 'A', { head: 'f'.repeat(40) })],
  [3, 'a record ahead of git', (e) => edit(e, 'E', { progress: '3/3' })],
  [
    3,
    'completed behind its checkpoint',
    (e) => edit(e, 'A', { head: the(chainOf(e, 'A').checkpoints[0]).commit }),
  ],

  [4, 'a child lives', (e) => e.remaining.push({ ...tool, pid: 9, token: A_TOKEN(e, 1) })],
  [
    4,
    'a process without marks lives',
    (e) => e.remaining.push({ ...tool, pid: 9, workstream: null, token: null }),
  ],
  [
    4,
    'a worker lives on',
    (e) => e.remaining.push({ ...tool, pid: 9, kind: 'worker', token: A_TOKEN(e, 3) }),
  ],

  [5, 'a bystander is gone', (e) => Object.assign(the(e.bystanders[0]), { alive: false })],
  [5, 'a bystander was signalled', (e) => tell(e, { event: 'signal', signal: 'SIGTERM', pid: 77 })],
  [5, 'everybody was signalled', (e) => tell(e, { event: 'signal', signal: 'SIGKILL', pid: -1 })],
  [5, 'a signal without a reason', (e) => tell(e, { event: 'signal', signal: 'SIGKILL', pid: 9, why: '' })],
  [5, 'a file of the user was removed', (e) => tell(e, { event: 'remove', path: '/repository/README.md' })],
  [
    5,
    'a file behind two dots was removed',
    (e) => tell(e, { event: 'remove', path: '/repository/.status/../README.md' }),
  ],
  [
    5,
    'one of several files was not ours',
    (e) => tell(e, { event: 'remove', files: ['/repository/.logs/A.log', '/etc/passwd'] }),
  ],
  [5, 'a removal that names nothing', (e) => tell(e, { event: 'remove' })],
  [
    5,
    'a removal without a reason',
    (e) => tell(e, { event: 'remove', path: '/repository/.pids/A.pid', why: '' }),
  ],
  [5, 'settled as dead, but it went on', (e) => tell(e, { event: 'salvage', actor: worker(1) })],

  [
    5,
    'the tools of a live worker were signalled',
    (e) => {
      const end = the(e.events.pop());
      tell(e, { event: 'signal', signal: 'SIGTERM', pid: 9, proof: 'marker', token: A_TOKEN(e, 3) });
      tell(e, { actor: worker(3), from: 'running', to: 'failed', attempt: 3, pid: 1_003 });
      e.events.push(end);
    },
  ],
  [
    5,
    'settled as dead, but it lives',
    (e) => {
      edit(e, 'A', { status: 'crashed', restarts: 2, reason: { code: 'lost', message: 'x', hint: null } });
      e.remaining.push({ ...tool, pid: 9, kind: 'worker', token: A_TOKEN(e, 3) });
    },
  ],
  [6, 'a torn record was seen', (e) => e.tornReads.push({ workstream: 'A', text: '{"status"', why: 'cut' })],
  [
    6,
    'a record that cannot be parsed',
    (e) =>
      Object.assign(recordOf(e, 'A'), { parsed: { kind: 'unreadable', message: 'cut', line: 1, column: 1 } }),
  ],
  [
    6,
    'a record that cannot be read',
    (e) => Object.assign(recordOf(e, 'A'), { text: null, parsed: null, fault: 'EACCES' }),
  ],
  [6, 'a record that is too large', (e) => Object.assign(recordOf(e, 'A'), { bytes: 4_097 })],
  [6, 'a record of somebody else', (e) => edit(e, 'A', { workstream: 'B' })],
  [6, 'a temporary file', (e) => e.stateFiles.push('.status/A.json.123')],
  [6, 'a temporary PID file', (e) => e.stateFiles.push('.pids/A.pid.123')],
  [6, 'a lock', (e) => e.stateFiles.push('.status/A.lock', '.status/A.lock/owner')],
  [6, 'an empty lock', (e) => e.stateFiles.push('.status/A.lock')],
  [
    6,
    'a lock that was being made',
    (e) => e.stateFiles.push(`.status/A.lock.${'0'.repeat(32)}`, `.status/A.lock.${'0'.repeat(32)}/owner`),
  ],
  [6, 'a PID file', (e) => e.stateFiles.push('.pids/A.pid')],
  [6, 'a heartbeat', (e) => e.stateFiles.push('.status/A.heartbeat')],

  [7, 'another HEAD', (e) => Object.assign(e.after, { head: 'refs/heads/orch/A 1' })],
  [7, 'a branch moved', (e) => Object.assign(e.after.refs, { 'refs/heads/feature': '1' })],
  [7, 'a branch is gone', (e) => Object.assign(e.after, { refs: {} })],
  [7, 'a branch is new', (e) => Object.assign(e.after.refs, { 'refs/heads/new': '1' })],
  [7, 'a stash is gone', (e) => Object.assign(e.after, { stashes: [] })],
  [7, 'the index', (e) => Object.assign(e.after, { index: '' })],
  [7, 'the status', (e) => Object.assign(e.after, { status: '' })],
  [7, 'a file', (e) => Object.assign(e.after.files, { 'README.md': '644 9' })],
  [7, 'a hook', (e) => Object.assign(e.after, { hooks: {} })],
  [7, 'the config', (e) => Object.assign(e.after, { config: '' })],
  [7, 'a hook ran', (e) => e.hooksRun.push('.git/hooks/pre-commit')],
  [7, 'an object is missing', (e) => e.git.faults.push('missing blob 1')],
  [
    7,
    'a commit of a tool is lost',
    (e) => append(e, entry(e, 'A', 'committed', 3), { detail: ['e'.repeat(40)] }),
  ],
  [
    7,
    'what a killed attempt wrote is lost',
    (e) =>
      Object.assign(e.git, {
        keptNonces: new Set([...e.git.keptNonces].filter((one) => one !== 'nonce:A.2.1.1')),
      }),
  ],

  [8, 'completed with an unknown exit code', (e) => edit(e, 'A', { exit_code: null })],
  [8, 'failed with exit code 0', (e) => edit(e, 'C', { exit_code: 0 })],
  [
    8,
    'completed without a checkpoint',
    (e) => {
      chainOf(e, 'A').checkpoints.pop();
      chainOf(e, 'A').tip = the(chainOf(e, 'A').checkpoints.at(-1)).commit;
    },
  ],
  [
    8,
    'completed, and a test failed',
    (e) => append(e, entry(e, 'A', 'check', 3, 0), { detail: ['1', 'fail'] }),
  ],
  [8, 'completed, and no test ran', (e) => without(e, entry(e, 'A', 'check', 3, 0))],
  [
    8,
    'completed on the word of an earlier attempt',
    (e) => {
      entry(e, 'A', 'check', 3, 0).token = A_TOKEN(e, 2);
    },
  ],
  [8, 'completed, and nobody said that nothing verified it', (e) => edit(e, 'B', { reason: null })],
  [
    8,
    'a run without an exit code noted as done',
    (e) => Object.assign(the(e.history[0]), { exit_code: null }),
  ],
  [
    8,
    'a run that failed noted as done',
    (e) =>
      e.history.push({
        workstream: 'C',
        entry: 'tool_run',
        attempt: 2,
        task: 2,
        outcome: 'done',
        exit_code: 0,
      }),
  ],
  [
    8,
    'the PID file went before the last word',
    (e) => {
      edit(e, 'E', { status: 'running' });
      e.history.push({ workstream: 'E', entry: 'attempt', attempt: 1 });
    },
  ],
  [
    8,
    'begun before its dependency was done',
    (e) => {
      const start = entry(e, 'B', 'start', 1, 1);
      e.ledger.splice(e.ledger.indexOf(start), 1);
      e.ledger.unshift(start);
      for (const [order, one] of e.ledger.entries()) one.order = order;
    },
  ],
];

describe('the judge of histories', () => {
  it('finds nothing in a sound one', () => {
    const evidence = evidenceOf(STORIES);
    expect(judge(evidence)).toEqual([]);
    // It tells of all that the breaks below change.
    expect(evidence.records.map(({ parsed }) => parsed?.kind)).toEqual(Array(5).fill('record'));
    expect(evidence.ledger.length).toBeGreaterThan(40);
  });

  it('takes a repair for no task and no run of its own', () => {
    const evidence = evidenceOf(STORIES);
    const chain = chainOf(evidence, 'A');
    const commit = 'd'.repeat(40);
    chain.checkpoints.push({ ...the(chain.checkpoints.at(-1)), commit, repair: 1 });
    chain.tip = commit;
    edit(evidence, 'A', { head: commit });
    expect(judge(evidence)).toEqual([]);
  });

  it('finds nothing in any sound one', () => {
    fc.assert(
      fc.property(soundHistory, (evidence) => {
        expect(judge(evidence)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it.each(BREAKS)('guarantee %i: %s', (guarantee, _, change) => {
    const evidence = evidenceOf(STORIES);
    change(evidence);
    expect(judge(evidence).map((violation) => violation.guarantee)).toContain(guarantee);
  });

  it('has a way to break each guarantee', () => {
    expect([...new Set(BREAKS.map(([guarantee]) => guarantee))].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('judges nothing before its time', () => {
    const evidence = evidenceOf(STORIES);
    edit(evidence, 'E', { status: 'pending' });
    evidence.stateFiles.push('.status/A.lock', '.status/A.json.123');
    evidence.remaining.push({ ...tool, pid: 9, token: null });
    expect(judge({ ...evidence, recovered: false, reaped: false })).toEqual([]);
  });

  it('takes what is not known for no violation, and what is excused for none', () => {
    const evidence = evidenceOf(STORIES);
    Object.assign(the(evidence.bystanders[0]), { alive: null });
    evidence.tornEvents.push('{"at": 1, "ac');
    evidence.remaining.push({ ...tool, pid: 9, kind: 'orchestrator', workstream: null, token: null });
    // One at the gate never wrote that it runs.
    evidence.together.push({ workstream: 'A', pids: [1001, 5000], tokens: ['a', 'b'] });
    evidence.stateFiles.push('.status/_orchestrator.lock', '.status/_hold.json.12');
    evidence.stateFiles.push(`.status/A.lock.${'0'.repeat(32)}`, '.status/A.json.unreadable-1');
    evidence.heldLocks.push('.status/_orchestrator.lock');
    expect(judge(evidence)).toEqual([]);
  });
});
