import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import type { Violation } from '../../lib/protocol/status.ts';
import { BOUND_MS, killHard } from '../rig/ledger.ts';
import { makeRepository, type Rig, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/** Real workers whose tasks write outside their scope. */

let out = '';
let rig: Rig;

const run = (command: string) => ({ run: command });
const LONG = Array.from({ length: 40 }, (_, n) => `line ${n}`).join('\\n');

function planOf(folder: string): unknown[] {
  const judges = {
    acceptance_tests: [
      run('test -z "$(git status --porcelain)" && git diff --quiet HEAD && test -e src/in.txt'),
    ],
  };
  return [
    {
      id: 'writes',
      files_scope: ['src/'],
      files_create: ['new/*.md'],
      tasks: [
        run(
          'echo in > src/in.txt; mkdir new; echo n > new/a.md; echo o > new/o.txt; echo changed > README.md',
        ),
        run('test ! -e new/o.txt && grep -q hello README.md; rm docs/d.md'),
        run('test -e docs/d.md; echo more >> src/in.txt'),
      ],
      ...judges,
    },
    {
      id: 'renames',
      files_scope: ['src'],
      tasks: [
        run(`printf '${LONG}' > src/in.txt`),
        run('git mv src/in.txt docs/in.txt; echo edited >> docs/in.txt'),
      ],
      ...judges,
    },
    {
      id: 'commits',
      files_scope: ['src'],
      tasks: [
        run(
          `echo in > src/in.txt; echo s > secret; git add -A; git commit -q -m both; git rev-parse HEAD > ${folder}/both; git rm -q secret; git commit -q -m gone; git rev-parse HEAD > ${folder}/gone`,
        ),
        run(`echo x > src/x.txt; git add -A; git commit -q -m inside; git rev-parse HEAD > ${folder}/inside`),
      ],
      ...judges,
    },
    { id: 'only-outside', files_scope: ['src'], tasks: [run('echo o > o.txt')] },
    {
      id: 'needs-it',
      files_scope: ['src'],
      tasks: [run('echo in > src/in.txt; echo o > o.txt')],
      acceptance_tests: [run('test -e o.txt')],
    },
    {
      id: 'warns',
      scope: 'warn',
      files_scope: ['src'],
      tasks: [run('echo in > src/in.txt; echo o > o.txt')],
      ...judges,
    },
    {
      id: 'is-off',
      scope: 'off',
      files_scope: ['src'],
      tasks: [run('echo in > src/in.txt; echo o > o.txt')],
      ...judges,
    },
    { id: 'no-scope', tasks: [run('echo in > src/in.txt; echo o > o.txt')], ...judges },
    {
      id: 'leaves',
      copy: ['.env'],
      setup: [
        'mkdir -p vendor && echo lib > vendor/lib.txt; echo lock >> docs/d.md; echo new > .env2; git add .env2',
      ],
      files_scope: ['src'],
      tasks: [
        run('test -e .env && test -e vendor/lib.txt && echo in > src/in.txt'),
        run('echo two > src/two.txt'),
      ],
      steps: [
        {
          id: 's',
          tasks: [run('echo three > src/three.txt')],
          acceptance_tests: [run('echo left > left.txt; echo e >> README.md')],
        },
      ],
      acceptance_tests: [run('test ! -e left.txt && grep -qx hello README.md; echo l > left.txt')],
    },
    {
      id: 'many',
      files_scope: ['src'],
      tasks: [
        run(
          'echo in > src/in.txt; mkdir o; i=0; while [ $i -lt 3000 ]; do echo $i > "o/a rather long name of a file $i"; i=$((i+1)); done',
        ),
      ],
      ...judges,
    },
    {
      id: 'is-killed',
      files_scope: ['src'],
      tasks: [
        run('echo in > src/in.txt; echo 1 > o1.txt'),
        run(
          `echo two > src/two.txt; echo "$ORCH_ATTEMPT" > o2.txt; touch ${folder}/two; while [ ! -e ${folder}/go ]; do sleep 0.1; done`,
        ),
        run('echo three > src/three.txt; echo 3 > o3.txt'),
      ],
      ...judges,
    },
  ];
}

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
  const files = { 'README.md': 'hello\n', 'docs/d.md': 'd\n', 'src/.keep': '', '.gitignore': '.env\n' };
  rig = makeRepository(planOf(out), files);
  rig.write('.env', 'SECRET=42\n');
  rig.git('config', 'user.name', 'Tool');
  rig.git('config', 'user.email', 'tool@localhost');
  await rig.orch(['launch', '--max-parallel', '4']);
  await until(() => existsSync(join(out, 'two')), { what: 'the second task', boundMs: BOUND_MS });
  await killHard(rig.pid('is-killed'));
  writeFileSync(join(out, 'go'), '');
  await rig.orch(['wait', '--timeout', '150s']);
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
}, 240_000);

afterAll(async () => {
  await rig.end();
  rmSync(out, { recursive: true, force: true });
});

beforeEach(() => onTestFailed(() => showLogs(rig.root)));

const violationsOf = (id: string): string[] =>
  (rig.record(id)['violations'] as Violation[]).map(
    ({ task, change, from, path }) => `${task} ${change} ${from === undefined ? '' : `${from} > `}${path}`,
  );
const files = (ref: string): string[] =>
  rig
    .git('ls-tree', '-r', '-z', '--name-only', ref)
    .split('\0')
    .filter((name) => /\.(txt|md)$|^secret/.test(name));
const noted = (name: string): string => readFileSync(join(out, name), 'utf8').trim();
const isIn = (ref: string, commit: string): boolean => rig.git('rev-list', ref).includes(commit);
const reasonOf = (id: string): unknown => (rig.record(id)['reason'] as { code: string } | null)?.code;
const events = (id: string) =>
  rig.events().filter((one) => one['event'] === 'scope_violation' && one['workstream'] === id);
const history = (id: string): Record<string, unknown>[] =>
  rig
    .read(`.status/${id}.history.ndjson`)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('a worker whose scope is enforced', () => {
  it('takes out what is outside, names it everywhere and goes on', () => {
    expect([rig.status('writes'), reasonOf('writes')]).toEqual(['completed', 'scope_violation']);
    expect(violationsOf('writes')).toEqual([
      '1 modified README.md',
      '1 added new/o.txt',
      '2 deleted docs/d.md',
    ]);
    expect(files('orch/writes')).toEqual(['README.md', 'docs/d.md', 'new/a.md', 'src/in.txt']);
    const runs = rig.record('writes')['tool_runs'] as { outcome: string }[];
    expect(runs.map(({ outcome }) => outcome)).toEqual(['scope_violation', 'scope_violation', 'done']);
    expect(events('writes').map(({ task, paths_total }) => [task, paths_total])).toEqual([
      [1, 2],
      [2, 1],
    ]);
    const told = history('writes').filter(({ entry }) => entry === 'scope_violation');
    expect(told.map(({ task }) => task)).toEqual([1, 2]);
    expect(rig.git('show', `${told[0]?.['commit']}:new/o.txt`)).toBe('o\n');
    for (const { commit } of told) expect(isIn('refs/orch/salvage/writes/1', String(commit))).toBe(true);
    const outcomes = history('writes').filter(({ entry }) => entry === 'tool_run');
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['scope_violation', 'scope_violation', 'done']);
  });

  it('undoes a rename over the border whole', () => {
    expect([rig.status('renames'), violationsOf('renames')]).toEqual([
      'completed',
      ['2 renamed src/in.txt > docs/in.txt'],
    ]);
    expect(files('orch/renames')).toEqual(['README.md', 'docs/d.md', 'src/in.txt']);
    expect(rig.git('show', 'refs/orch/salvage/renames/1:docs/in.txt')).toContain('edited');
  });

  it('keeps commits of a tool on the branch only if they are inside', () => {
    expect([rig.status('commits'), violationsOf('commits')]).toEqual(['completed', ['1 undone secret']]);
    for (const name of ['both', 'gone']) {
      expect(isIn('orch/commits', noted(name))).toBe(false);
      expect(isIn('refs/orch/salvage/commits/1', noted(name))).toBe(true);
    }
    expect(isIn('orch/commits', noted('inside'))).toBe(true);
    expect(rig.git('log', '--format=', '--name-only', 'orch/commits')).not.toContain('secret');
  });

  it('goes on where nothing inside is left, and never calls that verified', () => {
    expect([rig.status('only-outside'), reasonOf('only-outside')]).toEqual(['completed', 'unverified']);
    expect(JSON.stringify(rig.record('only-outside')['reason'])).toContain('scope_violation');
    expect(violationsOf('only-outside')).toEqual(['1 added o.txt']);
  });

  it('judges what is committed: an acceptance test that needs the rest fails, and says of it', () => {
    expect([rig.status('needs-it'), reasonOf('needs-it')]).toEqual(['failed', 'verify_failed']);
    expect(JSON.stringify(rig.record('needs-it')['reason'])).toContain('o.txt');
  });

  it('blames no task for what setup, copies and tests leave, and commits none of it', () => {
    expect([rig.status('leaves'), rig.record('leaves')['reason']]).toEqual(['completed', null]);
    expect(violationsOf('leaves')).toEqual([]);
    expect(files('orch/leaves')).toEqual([
      'README.md',
      'docs/d.md',
      'src/in.txt',
      'src/three.txt',
      'src/two.txt',
    ]);
    expect(rig.git('show', 'orch/leaves:docs/d.md')).toBe('d\n');
    expect(events('leaves')).toEqual([]);
  });

  it('keeps a record of 3,000 violations within its bound', () => {
    const record = rig.record('many');
    expect([rig.status('many'), record['violations_total']]).toEqual(['completed', 3000]);
    expect((record['violations'] as unknown[]).length).toBeGreaterThan(3);
    expect(rig.read('.status/many.json').length).toBeLessThanOrEqual(4096);
    expect(
      rig.git('ls-tree', '-r', '--name-only', 'refs/orch/salvage/many/1', 'o/').trim().split('\n'),
    ).toHaveLength(3000);
  });

  it('killed with -9 in between, still names all that happened, and loses nothing', () => {
    expect([rig.status('is-killed'), rig.record('is-killed')['attempt']]).toEqual(['completed', 2]);
    expect(violationsOf('is-killed')).toEqual(['1 added o1.txt', '2 added o2.txt', '3 added o3.txt']);
    expect(files('orch/is-killed')).toEqual([
      'README.md',
      'docs/d.md',
      'src/in.txt',
      'src/three.txt',
      'src/two.txt',
    ]);
    expect(rig.git('show', 'refs/orch/salvage/is-killed/1:o2.txt')).toBe('1\n');
    const kept = rig.git('log', '--format=', '--name-only', '-c', '--glob=refs/orch/salvage/is-killed/');
    expect(new Set(kept.match(/^o\d.txt$/gm))).toEqual(new Set(['o1.txt', 'o2.txt', 'o3.txt']));
    expect(reasonOf('is-killed')).toBe('scope_violation');
  });
});

describe('a worker whose scope', () => {
  it('only warns keeps all and tells of it', () => {
    expect([rig.status('warns'), reasonOf('warns')]).toEqual(['completed', 'scope_violation']);
    expect(violationsOf('warns')).toEqual(['1 added o.txt']);
    expect(files('orch/warns')).toContain('o.txt');
    expect(rig.git('for-each-ref', 'refs/orch/salvage/warns')).toBe('');
  });

  it('is off, or is not given, says nothing', () => {
    for (const id of ['is-off', 'no-scope']) {
      expect([rig.status(id), rig.record(id)['reason'], violationsOf(id)]).toEqual(['completed', null, []]);
      expect(files(`orch/${id}`)).toContain('o.txt');
    }
  });

  it('leaves a sound repository', () => {
    expect(rig.git('fsck', '--no-dangling', '--no-progress')).toBe('');
    expect(rig.git('status', '--porcelain')).toBe('');
  });
});

/** A worker is killed with -9 as it calls git with these words, for the first time after its task has ended. */
const MOMENTS = {
  staging: 'add --all',
  comparing: 'diff-tree -r -z -M',
  'making-the-tree': 'update-index -z --index-info',
  'keeping-it': 'orch: salvage',
  'taking-it-out': 'read-tree -m -u',
  'moving-the-branch': 'orch: checkpoint',
};

describe('a worker that is killed while it takes out what is outside', () => {
  let place = '';
  let here: Rig;

  beforeAll(async () => {
    place = mkdtempSync(join(tmpdir(), 'orch-bin-'));
    const git = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    const script = `#!/bin/sh
moment="${place}/moment-$ORCH_WORKSTREAM"
if [ -e "$moment" ] && printf '%s' "$*" | grep -qF -e "$(cat "$moment")"; then
  mv "$moment" "$moment.reached"
  kill -9 $PPID
fi
exec ${git} "$@"
`;
    writeFileSync(join(place, 'git'), script, { mode: 0o755 });
    const plan = Object.entries(MOMENTS).map(([id, words]) => ({
      id,
      files_scope: ['src'],
      tasks: [
        run(
          `test $ORCH_ATTEMPT != 1 || echo '${words}' > ${place}/moment-${id}; echo $ORCH_ATTEMPT > src/in.txt; echo "by $ORCH_ATTEMPT" > o.txt`,
        ),
        run('test ! -e o.txt'),
      ],
      acceptance_tests: [run('test -z "$(git status --porcelain)" && test -e src/in.txt')],
    }));
    here = makeRepository(plan, { 'README.md': 'hello\n', 'src/.keep': '' });
    const env = { PATH: `${place}:${process.env['PATH']}` };
    await here.orch(['launch', '--max-parallel', '3'], { env });
    await here.orch(['wait', '--timeout', '150s']);
    await until(() => here.processes().length === 0, { what: 'all processes to end' });
  }, 240_000);

  afterAll(async () => {
    await here.end();
    rmSync(place, { recursive: true, force: true });
  });

  it.each(Object.keys(MOMENTS))('%s, loses nothing and goes on', (id) => {
    onTestFailed(() => showLogs(here.root));
    expect(existsSync(join(place, `moment-${id}.reached`))).toBe(true);
    expect(here.record(id)).toMatchObject({ status: 'completed', attempt: 2, progress: '2/2' });
    expect(here.record(id)['violations']).toEqual([{ task: 1, path: 'o.txt', change: 'added' }]);
    expect(here.git('show', `orch/${id}:src/in.txt`)).toBe('2\n');
    expect(here.git('log', '--format=', '--name-only', `orch/${id}`)).not.toContain('o.txt');
    const kept = here.git('log', '-p', '-c', '--format=', `--glob=refs/orch/salvage/${id}/`);
    for (const attempt of [1, 2]) expect(kept).toContain(`+by ${attempt}`);
  });
});
