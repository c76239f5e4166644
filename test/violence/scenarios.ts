import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AskedWorkstream } from '../../lib/proof/evidence.ts';
import { parseLedger } from '../../lib/proof/ledger.ts';
import { planOf, type Wish } from '../../lib/proof/material.ts';
import { SCRIPTS } from '../../lib/proof/scripts.ts';
import { agent, killHard, orchestratorOf, tool } from '../rig/ledger.ts';
import { type Rig, until } from '../rig/repository.ts';
import { modelServer, says } from '../tools/llm/server.ts';

/** Short lives of small plans in which, together, each failpoint is passed by each role that can pass it. */

/** The environment that arms a failpoint or traces them all, and whether it has struck. */
export type Armed = { env: Record<string, string>; isStruck: () => boolean };

export type Scenario = {
  name: string;
  /** The kinds of processes that are struck in it; those of others that take part are left alone. */
  roles: readonly string[];
  /** The plan: of tasks that note what they do for `lib/proof`, or as the file says it. */
  wishes?: readonly Wish[];
  workstreams?: readonly { id: string }[];
  files?: Readonly<Record<string, string>>;
  /** Brings the repository to where the command begins. */
  prepare?: (rig: Rig, armed: Armed) => Promise<void>;
  command: readonly string[];
  /** After the strike and before the recovery. */
  later?: (rig: Rig) => void;
  /** Its `orch` is run where it finds a systemd manager: left out, aloud, where there can be none. */
  inScopes?: boolean;
  /** The command stops what runs: some of it waits until `later`. */
  stops?: boolean;
  /** What must hold in the end of a scenario whose tasks note nothing; else that is looked up in the ledger. */
  holds?: (rig: Rig) => void;
  /** How a workstream may end without another word of a person; else all must complete. */
  ends?: readonly string[];
};

const TIMES = { heartbeat_interval: '500ms', stop_grace: '10s' };
const CONFIG = { 'orch.config.json': JSON.stringify(TIMES) };

/** What a scenario begins with, for `makeRepository`. */
export function filesOf({ files }: Scenario): Record<string, string> {
  return { ...CONFIG, 'README.md': 'hello\n', ...files };
}

/** Commits the plan of a scenario, and returns what it asks for where its tasks note what they do. */
export function furnish(rig: Rig, { wishes, workstreams = [] }: Scenario): AskedWorkstream[] {
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(rig.aside, name), text);
  const { plan, asked } = planOf(rig.aside, wishes ?? []);
  rig.write('orch.plan.json', JSON.stringify(wishes === undefined ? { workstreams } : plan, null, 1));
  rig.git('add', '--all');
  rig.git('commit', '--quiet', '--message=the plan');
  return asked;
}

/** The ids of a scenario's plan. */
export const idsOf = ({ wishes, workstreams = [] }: Scenario): string[] =>
  (wishes ?? workstreams).map(({ id }) => id);

const small = (...second: Wish['tasks'][number]): Wish[] => [
  { id: 'a', tasks: [[], second] },
  { id: 'b', tasks: [[]], dependsOn: ['a'] },
];

/** Launched, and `a` waits in its second task. */
async function launched(rig: Rig, { env, isStruck }: Armed): Promise<void> {
  await rig.orch(['launch'], { env });
  const path = join(rig.aside, 'ledger');
  const runsSecond = (): boolean =>
    existsSync(path) &&
    parseLedger(readFileSync(path, 'utf8')).some(({ what, task }) => what === 'beat' && task === 2);
  await until(() => isStruck() || runsSecond(), { what: 'the second task to begin', boundMs: 120_000 });
}

/** Everything dies at once, in the middle of a task. */
async function crashed(rig: Rig): Promise<void> {
  await launched(rig, { env: {}, isStruck: () => false });
  await killHard(await orchestratorOf(rig));
  await killHard(rig.pid('a'));
}

const release = (rig: Rig): void => writeFileSync(join(rig.aside, 'go'), '');

const wild = (id: string, how: string, task: string) => ({
  id,
  tasks: [{ run: `sh ${tool('step.sh')} ${task} && sh ${tool('wild.sh')} ${how}` }],
  files_scope: [`${task}.txt`],
  copy: ['.env'],
  setup: ['echo made > made.txt'],
  acceptance_tests: [{ run: `grep -q whole ${task}.txt` }, { prose: 'It reads well.' }],
});

/** An agent edits and deletes tests: they are put back while the acceptance tests run. */
const weakens = {
  id: 'edits',
  tasks: [{ prompt: 'Please behave: weakens-all as ever.' }],
  acceptance_tests: [{ run: 'sh test/check.sh' }],
};

/** Notes its run as a task of `step.sh` does, then works as it will. */
const noting = (name: string): string => `sh ${tool('step.sh')} one < /dev/null && exec sh ${agent(name)}`;

/** A record that is garbage, and a worktree that git was killed over. */
async function litter(rig: Rig): Promise<void> {
  rig.write('.status/torn.json', '{"status": "runn');
  rig.write('.git/worktrees/torn/locked', 'orch: at work on torn');
}

/** Files and processes that only a crash leaves. */
async function rubbish(rig: Rig): Promise<void> {
  await crashed(rig);
  const [owner = ''] = await deadOwner(rig);
  for (const path of ['.status/a.json.4242', '.pids/a.pid.4243', '.status/_plan.json.4244'])
    rig.write(path, 'half');
  rig.write(`.status/old.lock/${owner}`, '');
  rig.write('.status/nightly.json', '{"status": "running", "last_update": 1764400000.1}\n');
  rig.write('.pids/nightly.pid', '999999\n');
}

/** The name of a lock's mark whose holder is dead. */
async function deadOwner(rig: Rig): Promise<string[]> {
  const child = rig.start(['reattach', '--no-launch'], {
    ORCH_FAILPOINT: 'reattach/store.role.taken:kill',
  });
  await child.finished;
  return readdirSync(join(rig.root, '.status/_orchestrator.lock'));
}

const RULES = ['rate_limited', 'bad_edit'].map((outcome) => ({
  outcome,
  pattern: `^${outcome.toUpperCase()}`,
}));
const falters = (name: string) => ({
  executable: '/bin/sh',
  args: [tool('falters.sh'), name],
  outcomes: RULES,
});

/** One has no key, one is limited and then gives bad edits, one does it by half, and mends it when told so. */
const AGENTS = JSON.stringify({
  heartbeat_interval: '500ms',
  stop_grace: '10s',
  tools: {
    aider: { executable: tool('aider-without-key.sh'), model: 'openai/none' },
    limited: falters('limited'),
    mends: falters('mends'),
  },
  tool: ['aider', 'limited', 'mends'],
});

function expectMended(rig: Rig): void {
  expect(rig.git('show', 'orch/agents:one.txt')).toBe('whole one\n');
  expect(rig.git('ls-tree', '--name-only', 'orch/agents').split('\n')).not.toContain('half.txt');
  expect(rig.git('rev-parse', 'refs/orch/checkpoint/agents')).toBe(rig.git('rev-parse', 'orch/agents'));
  expect(rig.record('agents')).toMatchObject({ status: 'completed', progress: '1/1' });
  // Commits and edits of runs that were not accepted are kept.
  const kept = rig.git('log', '--format=%s', '--glob=refs/orch/salvage/agents/*');
  expect(kept.split('\n')).toContain('half of it');
}

/** As `orch collect` will leave it. */
async function merged(rig: Rig): Promise<void> {
  await rig.orch(['launch']);
  await rig.orch(['wait']);
  await until(() => rig.processes().length === 0, { what: 'all to end' });
  const path = join(rig.root, '.status/a.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"completed"', '"merged"'));
}

/** Prints until its log was rotated twice by its worker: with `keep: 1` a part is emptied and removed each time. */
const loud = (id: string, task: string) => {
  const isRotated = `ls "$ORCH_ROOT/.logs" | grep -q '^${id}.log.[1-9][0-9]*-[0-9]*$'`;
  const print = "head -c 3000 /dev/zero | tr '\\0' x; echo";
  const loop = `for i in $(seq 2000); do ${print}; [ $i -lt 50 ] || ! ${isRotated} || break; sleep 0.02; done`;
  return { id, tasks: [{ run: `${loop}; sh ${tool('step.sh')} ${task}` }] };
};

/** A rotation whose maker died after the cut, and an audit trail that is due. */
async function cutOff(rig: Rig): Promise<void> {
  rig.write('.logs/loud.log.0-5.new', 'old.\n');
  const line = { at: 1, actor: 'person:1', event: 'orchestrator', workstream: null, why: 'x'.repeat(1000) };
  rig.write('.logs/_events.ndjson', `${JSON.stringify(line)}\n`.repeat(60));
}

/** Two new files, one changed, one moved, one removed: right whenever it is asked for from the checkpoint. */
const ANSWER = `FILE: src/new.txt
<<<<<<< WHOLE FILE
new
>>>>>>> WHOLE FILE
FILE: src/kept.txt
<<<<<<< SEARCH
old
=======
changed
>>>>>>> REPLACE
MOVE: src/from.txt -> src/deep/to.txt
DELETE: src/gone.txt
`;

const tidied = {
  id: 'a',
  tasks: [{ prompt: 'Tidy src.', tool: 'llm' }],
  files_scope: ['src'],
  acceptance_tests: [
    { run: 'grep -q new src/new.txt && grep -q changed src/kept.txt && test -e src/deep/to.txt' },
    { run: 'test ! -e src/from.txt && test ! -e src/gone.txt' },
  ],
};

/** A model server that lives as long as the test; its address is in the env_file, as a person would have it. */
async function withModel(rig: Rig): Promise<void> {
  const { url } = await modelServer(says(ANSWER));
  rig.write('llm.env', `ORCH_LLM_BASE_URL=${url}\nORCH_LLM_MODEL=m\n`);
}

/** A plan that was launched, failed, and was stopped as a whole. */
async function failedAndHeld(rig: Rig): Promise<void> {
  await rig.orch(['launch']);
  await rig.orch(['wait']);
  await rig.orch(['stop', '--all']);
  await until(() => rig.processes().length === 0, { what: 'all to end' });
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'launch',
    roles: ['launch', '_orchestrate', 'worker'],
    wishes: small(),
    command: ['launch'],
  },
  { name: 'run', roles: ['run', 'worker'], wishes: small(), command: ['run'] },
  {
    name: 'wild',
    roles: ['launch', '_orchestrate', 'worker'],
    workstreams: [wild('wild', 'tangle', 'one'), wild('torn', 'vanish', 'two')],
    files: { '.env': 'KEY=1\n', 'extra.txt': 'as it was\n' },
    prepare: litter,
    command: ['launch'],
  },
  {
    name: 'loud',
    roles: ['_orchestrate', 'worker'],
    workstreams: [loud('loud', 'one')],
    files: {
      'orch.config.json': JSON.stringify({
        heartbeat_interval: '500ms',
        stop_grace: '10s',
        logs: { max_size: '64KB', keep: 1 },
      }),
    },
    prepare: cutOff,
    command: ['launch'],
  },
  {
    name: 'agents',
    roles: ['worker'],
    workstreams: [
      {
        id: 'agents',
        ...{ tasks: ['Write one.txt.'], acceptance_tests: [{ run: 'grep -q whole one.txt' }] },
      },
    ],
    files: { 'orch.config.json': AGENTS },
    prepare: async (rig) => {
      mkdirSync(join(rig.aside, 'state/orch'), { recursive: true, mode: 0o700 });
      writeFileSync(join(rig.aside, 'state/orch/limits.json'), 'garbage');
    },
    command: ['launch'],
    holds: expectMended,
  },
  {
    name: 'edits',
    roles: ['worker'],
    workstreams: [weakens],
    files: {
      'test/check.sh': 'grep -q right answer.txt\n',
      'test/gone.test.sh': 'exit 1\n',
      'package.json': '{"scripts": {"test": "sh test/check.sh"}}\n',
      'orch.config.json': JSON.stringify({
        heartbeat_interval: '500ms',
        stop_grace: '10s',
        tool: ['wild'],
        tools: { wild: { executable: '/bin/sh', args: ['-c', noting('misbehaves.sh')] } },
      }),
    },
    command: ['launch'],
  },
  {
    name: 'stop',
    roles: ['stop', 'worker'],
    wishes: small('write:half.txt', 'wait:go'),
    prepare: launched,
    command: ['stop', 'a'],
    later: release,
    stops: true,
    ends: ['stopped', 'blocked'],
  },
  {
    name: 'stop-all',
    roles: ['stop', '_orchestrate', 'worker'],
    wishes: small('write:half.txt', 'wait:go'),
    prepare: launched,
    command: ['stop', '--all'],
    later: release,
    stops: true,
    ends: ['stopped', 'blocked'],
  },
  {
    name: 'retry',
    roles: ['retry', '_orchestrate', 'worker'],
    wishes: small('fail-once'),
    prepare: failedAndHeld,
    command: ['retry', 'a'],
    ends: ['failed', 'blocked'],
  },
  {
    name: 'relaunch',
    roles: ['launch'],
    wishes: small('fail-once'),
    prepare: failedAndHeld,
    command: ['launch'],
    ends: ['failed', 'blocked'],
  },
  {
    name: 'reap',
    roles: ['reap'],
    wishes: small('write:half.txt', 'wait:go'),
    prepare: rubbish,
    command: ['reap', '--older-than', '1ms'],
    later: release,
  },
  {
    name: 'scope',
    roles: ['reap'],
    // What ends at SIGTERM needs no order of the kernel.
    wishes: small('write:half.txt', 'deaf', 'wait:go'),
    files: { 'orch.config.json': JSON.stringify({ ...TIMES, stop_grace: '2s', containment: 'scope' }) },
    inScopes: true,
    prepare: crashed,
    command: ['reap'],
    later: release,
  },
  {
    name: 'prune',
    roles: ['reap'],
    wishes: [{ id: 'a', tasks: [[]] }],
    prepare: merged,
    command: ['reap', '--older-than', '1ms'],
  },
  {
    name: 'reattach',
    roles: ['reattach', '_orchestrate', 'worker'],
    wishes: small('write:half.txt', 'wait:go'),
    prepare: async (rig) => {
      await rubbish(rig);
      release(rig);
    },
    command: ['reattach'],
  },
  {
    name: 'successor',
    roles: ['_orchestrate', 'worker'],
    wishes: small('write:half.txt', 'wait:go'),
    prepare: async (rig, armed) => {
      await launched(rig, armed);
      await killHard(await orchestratorOf(rig));
      release(rig);
    },
    command: ['status'],
  },
  {
    name: 'llm',
    roles: ['worker'],
    workstreams: [tidied],
    files: {
      'orch.config.json': JSON.stringify({ ...TIMES, env_file: 'llm.env' }),
      '.gitignore': 'llm.env\n',
      'src/kept.txt': 'old\n',
      'src/from.txt': 'from\n',
      'src/gone.txt': 'gone\n',
    },
    prepare: withModel,
    command: ['launch'],
  },
  {
    name: 'repair',
    roles: ['reattach'],
    wishes: small('write:half.txt', 'wait:go'),
    prepare: rubbish,
    command: ['reattach', '--no-launch'],
    later: release,
  },
  {
    name: 'notify',
    roles: ['_orchestrate'],
    wishes: small(),
    files: {
      'orch.config.json': JSON.stringify({
        ...TIMES,
        notify: [{ command: 'cat > /dev/null' }, { webhook: 'http://127.0.0.1:9/closed' }],
      }),
    },
    command: ['launch'],
  },
];

/** True once the repository has no state of orch: a launch that died before it froze its plan. */
export const isUntouched = (rig: Rig): boolean => !existsSync(join(rig.root, '.status/_plan.json'));

/** Makes the folder for what is noted of a case. */
export function noteFolder(rig: Rig): string {
  const folder = join(rig.aside, 'failpoint');
  mkdirSync(folder, { recursive: true });
  return folder;
}
