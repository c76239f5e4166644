import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Checkout, Evidence } from '../../lib/proof/evidence.ts';
import type { NOTES } from '../../lib/proof/ledger.ts';
import { nonceFileOf } from '../../lib/proof/material.ts';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import type { State } from '../../lib/protocol/status.ts';
import { plainRecord } from '../protocol/arbitraries.ts';

/** Histories that keep every guarantee, told step by step as orch would make them. */

/** Where an attempt was killed: while task `task` ran, after it ended, or after its checkpoint. */
type Cut = { task: number; when: 'running' | 'ended' | 'saved' };

export type Story = {
  id: string;
  tasks: number;
  dependsOn: string[];
  checks: number;
  /** One for each attempt but the last. */
  cuts: Cut[];
  end: Extract<State, 'completed' | 'failed' | 'stopped' | 'blocked'>;
};

const ROOT = '/repository';
const RUN = '16c49418-8892-4866-a4be-fbb569ef48c3';
const hashOf = (text: string): string => createHash('sha1').update(text).digest('hex');
const BASE = hashOf('base');

const CHECKOUT: Checkout = {
  head: `refs/heads/main ${BASE}`,
  refs: { 'refs/heads/main': BASE, 'refs/heads/feature': BASE, 'refs/tags/v1': BASE },
  stashes: [`${hashOf('stash')} for later`],
  index: '100644 1 0\tREADME.md\n',
  status: '?? notes\n',
  files: { 'README.md': '644 1', notes: '644 2' },
  hooks: { 'pre-commit': '755 3' },
  config: '[core]\n',
};

type Draft = Evidence & {
  git: Evidence['git'] & { reachable: Set<string>; keptNonces: Set<string> };
};

function emptyEvidence(stories: readonly Story[]): Draft {
  return {
    root: ROOT,
    workstreams: stories.map(({ id, tasks, dependsOn, checks }) => {
      const list = Array.from({ length: tasks }, (_, at) => {
        return { digest: hashOf(`${id} ${at + 1}`), nonceFile: nonceFileOf(id, at + 1) };
      });
      return { id, dependsOn, checks, tasks: list };
    }),
    restartLimit: 2,
    recovered: true,
    reaped: true,
    records: [],
    events: [],
    tornEvents: [],
    history: [],
    git: {
      chains: stories.map(({ id }) => {
        return { workstream: id, tip: null, fault: null, checkpoints: [], onBranch: null };
      }),
      refs: {},
      reachable: new Set([BASE]),
      keptNonces: new Set<string>(),
      worktreeNonces: new Set(),
      faults: [],
    },
    before: structuredClone(CHECKOUT),
    after: structuredClone(CHECKOUT),
    ledger: [],
    hooksRun: [],
    bystanders: [{ pid: 77, startTime: 7, since: 1, what: 'a shell', alive: true }],
    remaining: [],
    stateFiles: ['.status/_plan.json', '.status/_orchestrator.json', '.status/.gitignore'],
    heldLocks: [],
    tornReads: [],
    together: [],
  };
}

/** What one workstream does, in order; each step writes into the evidence. */
function stepsOf(story: Story, evidence: Draft): (() => void)[] {
  const { id } = story;
  const steps: (() => void)[] = [];
  const event = (actor: string, name: string, more: Record<string, unknown>, why = 'because'): void => {
    const line = { at: 100 + evidence.events.length, actor, event: name, workstream: id, why, ...more };
    steps.push(() => evidence.events.push({ ...line, at: 100 + evidence.events.length }));
  };
  const state = (actor: string, from: string | null, to: string, attempt: number, pid: number | null): void =>
    event(actor, 'state', { from, to, run: RUN, attempt, pid });

  state('orchestrator:50', null, 'pending', 0, null);
  if (story.end === 'blocked') state('orchestrator:50', 'pending', 'blocked', 0, null);
  let done = 0;
  const attempts = story.end === 'blocked' ? [] : [...story.cuts, null];
  for (const [index, cut] of attempts.entries()) {
    const attempt = index + 1;
    const pid = 1_000 + evidence.workstreams.findIndex((one) => one.id === id) * 100 + attempt;
    const worker = `worker:${id}:${attempt}:${pid}`;
    const life = { story, evidence, steps, attempt, pid, token: hashOf(`${id} ${attempt}`).slice(0, 32) };
    state('orchestrator:50', 'pending', 'starting', attempt, pid);
    event('orchestrator:50', 'spawn', { pid });
    state(worker, 'starting', 'running', attempt, pid);
    const last = cut === null ? story.tasks : Math.max(cut.task, done + 1);
    for (let task = done + 1; task <= Math.min(last, story.tasks); task += 1) {
      const isCut = cut !== null && task === last;
      const isFailing = cut === null && story.end === 'failed' && task === story.tasks;
      runTask(life, task, isFailing ? 'fails' : isCut ? cut.when : 'saved');
      if (!isFailing && (!isCut || cut.when === 'saved')) done = task;
    }
    if (cut !== null) {
      event('orchestrator:50', 'signal', {
        signal: 'SIGTERM',
        pid: pid + 50,
        proof: 'marker',
        command: 'sh',
      });
      state('orchestrator:50', 'running', 'crashed', attempt, pid);
      event('orchestrator:50', 'remove', { path: `${ROOT}/.pids/${id}.pid` });
      state('orchestrator:50', 'crashed', 'pending', attempt, null);
    } else {
      if (story.end === 'completed') runChecks(life);
      state(worker, 'running', story.end, attempt, pid);
    }
  }
  steps.push(() => writeRecord(story, evidence, attempts.length));
  return steps;
}

type LifeOf = {
  story: Story;
  evidence: Draft;
  steps: (() => void)[];
  attempt: number;
  pid: number;
  token: string;
};

function note(
  life: LifeOf,
  what: (typeof NOTES)[number],
  task: number,
  pid: number,
  detail: string[] = [],
): void {
  const { story, evidence, attempt, token } = life;
  life.steps.push(() => {
    const order = evidence.ledger.length;
    const own = { order, what, workstream: story.id, task, run: RUN, attempt, token, pid };
    evidence.ledger.push({ ...own, startTime: pid, uptime: order / 10, detail });
  });
}

function runTask(life: LifeOf, task: number, until: Cut['when'] | 'fails'): void {
  const { story, evidence, attempt, steps } = life;
  const pid = life.pid + 10 * task;
  const { id } = story;
  const keep = (nonce: string): void => {
    steps.push(() => evidence.git.keptNonces.add(nonce));
  };
  const begun = `nonce:${id}.${task}.${attempt}.1`;
  const whole = `nonce:${id}.${task}.${attempt}.2`;
  const own = hashOf(`${id} ${task} ${attempt} of the tool`);
  note(life, 'start', task, pid, [String(life.pid), '1']);
  note(life, 'wrote', task, pid, [`src/${id}/begun-${task}.${attempt}.txt`, begun]);
  keep(begun);
  note(life, 'forked', task, pid + 5, ['plain']);
  note(life, 'beat', task, pid + 5);
  note(life, 'committed', task, pid, [own]);
  steps.push(() => evidence.git.reachable.add(own));
  if (until === 'fails') note(life, 'failed', task, pid);
  if (until === 'fails' || until === 'running') return;
  note(life, 'wrote', task, pid, [nonceFileOf(id, task), whole]);
  keep(whole);
  note(life, 'end', task, pid);
  if (until === 'ended') return;
  steps.push(() => save(life, task, [begun, whole]));
}

function save({ story, evidence, attempt }: LifeOf, task: number, nonces: string[]): void {
  const { id } = story;
  const chain = evidence.git.chains.find(({ workstream }) => workstream === id);
  if (chain === undefined) throw new Error(`no chain of ${id}`);
  const commit = hashOf(`checkpoint ${id} ${task}`);
  const before = chain.checkpoints.at(-1)?.nonces ?? [];
  chain.checkpoints.push({
    commit,
    workstream: id,
    run: RUN,
    attempt,
    task: hashOf(`${id} ${task}`),
    committedAt: 1,
    nonces: [...before, ...nonces],
  });
  chain.tip = commit;
  chain.onBranch = true;
  evidence.git.reachable.add(commit);
  evidence.history.push({
    workstream: id,
    entry: 'tool_run',
    attempt,
    task,
    outcome: 'done',
    exit_code: 0,
  });
}

function runChecks(life: LifeOf): void {
  for (let check = 1; check <= life.story.checks; check += 1)
    note(life, 'check', 0, life.pid + 90, [String(check), 'pass']);
}

function writeRecord(story: Story, evidence: Draft, attempts: number): void {
  const { id, end, tasks, dependsOn, checks } = story;
  const chain = evidence.git.chains.find(({ workstream }) => workstream === id);
  const last = attempts;
  const index = evidence.workstreams.findIndex((one) => one.id === id);
  const identity = {
    host: 'here',
    boot_id: 'boot',
    pid_namespace: '1',
    start_time: 1,
    session: null,
    token: hashOf(`${id} ${last}`).slice(0, 32),
  };
  const reason = { code: end === 'completed' ? 'unverified' : end, message: 'so it is', hint: null };
  const record = plainRecord({
    workstream: id,
    run: RUN,
    status: end,
    attempt: last,
    restarts: story.cuts.length,
    pid: end === 'blocked' ? null : 1_000 + index * 100 + last,
    identity: end === 'blocked' ? null : identity,
    exit_code: end === 'completed' ? 0 : end === 'failed' ? 3 : null,
    reason: end === 'completed' && checks > 0 ? null : reason,
    progress: `${chain?.checkpoints.length ?? 0}/${tasks}`,
    base: BASE,
    head: chain?.tip ?? BASE,
    depends_on: dependsOn,
    blocked_by: end === 'blocked' ? dependsOn : [],
  });
  const text = encodeRecord(record);
  const bytes = Buffer.byteLength(text);
  const headExists = evidence.git.reachable.has(chain?.tip ?? BASE);
  evidence.records.push({ workstream: id, text, fault: null, bytes, parsed: parseRecord(text), headExists });
  evidence.stateFiles.push(`.status/${id}.json`, `.status/${id}.history.ndjson`);
}

/** The evidence of these stories, told in turns that `choose` picks; dependents begin when all before them is over. */
export function evidenceOf(stories: readonly Story[], choose: (max: number) => number = () => 0): Evidence {
  const evidence = emptyEvidence(stories);
  evidence.events.push({
    at: 99,
    actor: 'orchestrator:50',
    event: 'orchestrator',
    workstream: null,
    why: 'began to orchestrate',
  });
  const lanes = stories.map((story) => ({ story, steps: stepsOf(story, evidence) }));
  const isOver = (id: string): boolean =>
    lanes.every(({ story, steps }) => story.id !== id || steps.length === 0);
  for (;;) {
    const ready = lanes.filter(({ story, steps }) => steps.length > 0 && story.dependsOn.every(isOver));
    const lane = ready[choose(ready.length - 1)];
    if (lane === undefined) return evidence;
    lane.steps.shift()?.();
  }
}

/** One of everything: `A` was killed twice, `B` depends on it, `C` failed, `D` is blocked by it, `E` was stopped. */
export const STORIES: readonly Story[] = [
  {
    id: 'A',
    tasks: 3,
    dependsOn: [],
    checks: 1,
    cuts: [
      { task: 2, when: 'running' },
      { task: 2, when: 'ended' },
    ],
    end: 'completed',
  },
  { id: 'B', tasks: 1, dependsOn: ['A'], checks: 0, cuts: [], end: 'completed' },
  { id: 'C', tasks: 2, dependsOn: [], checks: 1, cuts: [{ task: 1, when: 'saved' }], end: 'failed' },
  { id: 'D', tasks: 1, dependsOn: ['C'], checks: 1, cuts: [], end: 'blocked' },
  { id: 'E', tasks: 2, dependsOn: [], checks: 1, cuts: [], end: 'stopped' },
];

const cut = fc.record({
  task: fc.integer({ min: 1, max: 4 }),
  when: fc.constantFrom<Cut['when']>('running', 'ended', 'saved'),
});

/** Whatever may happen without a guarantee being broken. */
export const soundHistory: fc.Arbitrary<Evidence> = fc
  .record({
    lanes: fc.array(
      fc.record({
        tasks: fc.integer({ min: 1, max: 4 }),
        links: fc.array(fc.nat(20), { maxLength: 2 }),
        checks: fc.nat(2),
        cuts: fc.array(cut, { maxLength: 2 }),
        end: fc.constantFrom<Story['end']>('completed', 'completed', 'completed', 'failed', 'stopped'),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    turns: fc.infiniteStream(fc.nat(1_000)),
  })
  .map(({ lanes, turns }) => {
    const stories: Story[] = [];
    for (const [at, { links, ...rest }] of lanes.entries()) {
      const dependsOn = [...new Set(links.filter(() => at > 0).map((link) => `W${link % at}`))];
      const isHeld = stories.some(({ id, end }) => dependsOn.includes(id) && end !== 'completed');
      stories.push({ ...rest, id: `W${at}`, dependsOn, ...(isHeld ? { end: 'blocked', cuts: [] } : {}) });
    }
    return evidenceOf(stories, (max) => (turns.next().value as number) % (max + 1));
  });
