import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ORCH, type Rig, rigAt, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';
import { makeCanary, SECRET } from './canary.ts';

/** Repositories and tools with bad intent: what they can make orch's own commands do. docs/security.md cites these. */

const BOUND_MS = 180_000;
const PLAN = [{ id: 'A', tasks: [{ run: 'echo a > a.txt' }] }];

function withCanary(...args: Parameters<typeof rigOf>): { rig: Rig; untouched: () => void } {
  const rig = rigOf(...args);
  const canary = makeCanary(rig);
  onTestFinished(() => canary.end());
  return { rig, untouched: canary.expectUntouched };
}

/** Runs a plan to its end; the state of `A`. */
async function carryOut(rig: Rig, ...more: string[]): Promise<unknown> {
  const launched = await rig.orch(['launch', ...more]);
  expect([launched.code, launched.stderr]).toEqual([0, '']);
  await rig.orch(['wait', '--quiet']);
  return rig.status('A');
}

/** A program that notes that it ran. */
function trap(rig: Rig, name: string): { path: string; hasRun: () => boolean } {
  const [path, mark] = [join(rig.root, `.git/${name}`), join(rig.root, `.git/${name}.ran`)];
  writeFileSync(path, `#!/bin/sh\ntouch '${mark}'\ncat\n`);
  chmodSync(path, 0o755);
  return { path, hasRun: () => existsSync(mark) };
}

test(
  'hooks, fsmonitor, aliases, external diffs, text conversions, editors and pagers of a config do not run',
  async () => {
    const { rig, untouched } = withCanary(PLAN, { 'README.md': 'x\n', '.gitattributes': '* diff=evil\n' });
    const evil = trap(rig, 'evil');
    for (const hook of [
      'post-checkout',
      'pre-commit',
      'post-commit',
      'reference-transaction',
      'post-index-change',
    ]) {
      mkdirSync(join(rig.root, '.git/evil-hooks'), { recursive: true });
      symlinkSync(evil.path, join(rig.root, '.git/evil-hooks', hook));
    }
    for (const [name, value] of [
      ['core.hooksPath', join(rig.root, '.git/evil-hooks')],
      ['core.fsmonitor', evil.path],
      ['alias.worktree', `!${evil.path}`],
      ['alias.status', `!${evil.path}`],
      ['diff.external', evil.path],
      ['diff.evil.textconv', evil.path],
      ['diff.evil.command', evil.path],
      ['core.editor', evil.path],
      ['sequence.editor', evil.path],
      ['core.pager', evil.path],
      ['core.sshCommand', evil.path],
      ['core.askPass', evil.path],
      ['credential.helper', `!${evil.path}`],
      ['gpg.program', evil.path],
      ['commit.gpgSign', 'true'],
      ['core.alternateRefsCommand', evil.path],
    ] as const) {
      execFileSync('git', ['-C', rig.root, 'config', name, value]);
    }
    expect(await carryOut(rig)).toBe('completed');
    for (const args of [['reap'], ['status'], ['plan'], ['reattach', '--once']]) await rig.orch(args);
    expect(evil.hasRun()).toBe(false);
    untouched();
  },
  BOUND_MS,
);

test(
  'status, plan, reap --dry-run and launch --dry-run run no filter and fetch nothing that a config names',
  async () => {
    const { rig, untouched } = withCanary([...PLAN, { id: 'B', tasks: ['x'], depends_on: ['A'] }], {
      'README.md': 'x\n',
      '.gitattributes': '* filter=evil\n',
    });
    expect(await carryOut(rig, '--only', 'A')).toBe('completed');
    const evil = trap(rig, 'evil');
    const config = {
      'filter.evil.clean': evil.path,
      'filter.evil.smudge': evil.path,
      'filter.evil.process': evil.path,
      'core.fsmonitor': evil.path,
      'core.sshCommand': evil.path,
      'remote.evil.url': 'ssh://localhost/x',
      'remote.evil.promisor': 'true',
      'remote.evil.partialclonefilter': 'blob:none',
      'core.repositoryformatversion': '1',
      'extensions.partialClone': 'evil',
    };
    for (const [name, value] of Object.entries(config))
      execFileSync('git', ['-C', rig.root, 'config', name, value]);
    // A head that is not there: git would fetch it from the remote that promises it.
    const record = { ...rig.record('A'), head: 'f'.repeat(40) };
    rig.write('.status/A.json', JSON.stringify(record));
    rig.write('README.md', 'changed, so that git has to look\n');
    const commands = [
      ['status'],
      ['plan', '--only', 'B'],
      ['reap', '--dry-run'],
      ['launch', '--dry-run', '--only', 'B'],
    ];
    for (const args of commands) {
      const { code } = await rig.orch(args);
      expect([args, code !== null && code <= 4, evil.hasRun()]).toEqual([args, true, false]);
    }
    untouched();
  },
  BOUND_MS,
);

test(
  'a config that says that the files are elsewhere (core.worktree) leads orch nowhere',
  async () => {
    const { rig, untouched } = withCanary(PLAN);
    rig.git('config', 'core.worktree', join(rig.aside, 'folder'));
    for (const args of [['launch'], ['launch', '--dry-run'], ['run']]) {
      const { code, stderr } = await rig.orch(args);
      expect([args, code, stderr]).toEqual([args, 2, expect.stringContaining('core.worktree')]);
    }
    untouched();
  },
  BOUND_MS,
);

test(
  'a link that a tool commits where "copy" puts a file leads the copy nowhere',
  async () => {
    const plan = [
      {
        id: 'A',
        tasks: [{ run: 'rm -rf conf; ln -s "$OUT/folder" conf; git add conf; true' }, { run: 'false' }],
      },
    ];
    const { rig, untouched } = withCanary(
      plan.map((one) => ({ ...one, copy: ['conf/.env'] })),
      {
        'README.md': 'x\n',
        '.gitignore': '.env\n',
      },
    );
    rig.write('conf/.env', 'KEY=1\n');
    const env = { OUT: rig.aside };
    expect(await rig.orch(['launch'], { env })).toMatchObject({ code: 0 });
    await rig.orch(['wait', '--quiet']);
    expect(rig.status('A')).toBe('failed');
    expect(await rig.orch(['retry', 'A'], { env })).toMatchObject({ code: 0 });
    await rig.orch(['wait', '--quiet']);
    expect(rig.record('A')).toMatchObject({
      status: 'failed',
      attempt: 2,
      reason: { code: 'worktree_failed' },
    });
    expect(existsSync(join(rig.aside, 'folder/.env'))).toBe(false);
    untouched();
  },
  BOUND_MS,
);

test(
  'what a tool does to its worktree leads orch nowhere: links, another .git, names, trailers, pipes in git’s folder',
  async () => {
    const worst = [
      'rm -f .git; git init --quiet .',
      'ln -s "$OUT" out; ln -s / everything; ln -s "$OUT/secret" read-me',
      'mkdir .status .pids; ln -s "$OUT/secret" .status/A.json; mkfifo .pids/A.pid',
      `printf x > "$(printf 'new\\nline')"; printf x > "$(printf 'esc\\033[2J')"; printf x > -rf; printf x > "$(printf 'bad\\377')"`,
      'printf x > "a b\'c\\"d"; printf x > --output=x',
      'printf "\\033]52;c;aGk=\\007\\033]0;owned\\007\\000"; head -c 3000000 /dev/zero | tr "\\0" x',
    ].join('\n');
    const fake =
      'git -c user.name=t -c user.email=t@t commit --quiet --allow-empty -m "$(printf "x\\n\\nOrch-Workstream: A\\nOrch-Task: f\\nOrch-Previous: none\\nOrch-Base: f")"';
    const { rig, untouched } = withCanary([{ id: 'A', tasks: [{ run: worst }, { run: fake }] }]);
    const launched = await rig.orch(['launch'], { env: { OUT: rig.aside } });
    expect(launched.code).toBe(0);
    await rig.orch(['wait', '--quiet']);
    expect(rig.record('A')).toMatchObject({ status: 'completed', progress: '2/2' });
    expect(rig.git('ls-tree', '-r', 'orch/A')).toMatch(/120000 blob \w+\tread-me/);
    // A link is kept as a link: what it leads to is in no commit.
    expect(() => rig.git('grep', '--quiet', SECRET, 'orch/A')).toThrow();
    const logs = await rig.orch(['logs', 'A', '--json']);
    expect(logs.code).toBe(0);
    expect(logs.stdout.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    const admin = join(rig.root, '.git/worktrees/A');
    rmSync(join(admin, 'orch-ready'));
    execFileSync('mkfifo', [join(admin, 'orch-ready')]);
    const again = await rig.orch(['launch', '--fresh'], { env: { OUT: rig.aside } });
    expect([again.code, again.stderr]).toEqual([expect.any(Number), expect.stringContaining('orch-ready')]);
    untouched();
  },
  BOUND_MS,
);

test(
  'folders are 0700 and what is in them 0600, whatever the umask',
  async () => {
    const rig = rigOf(PLAN);
    const quoted = (word: string): string => `'${word}'`;
    const line = [process.execPath, ORCH, 'launch', '--root', rig.root].map(quoted).join(' ');
    execFileSync('sh', ['-c', `umask 0; ${line} && ${line.replace('launch', 'wait')}`], {
      env: { PATH: process.env['PATH'] },
    });
    // Until then locks, signs and PID files come and go.
    await until(() => rig.processes().length === 0, { what: 'the orchestrator to resign' });
    const modeOf = (path: string): string => (lstatSync(join(rig.root, path)).mode & 0o777).toString(8);
    for (const folder of ['.status', '.pids', '.logs', '.worktrees'])
      expect([folder, modeOf(folder)]).toEqual([folder, '700']);
    for (const folder of ['.status', '.pids', '.logs']) {
      for (const name of readdirSync(join(rig.root, folder))) {
        const path = join(folder, name);
        const wanted = lstatSync(join(rig.root, path)).isDirectory() ? '700' : '600';
        expect([path, modeOf(path)]).toEqual([path, wanted]);
      }
    }
  },
  BOUND_MS,
);

test(
  'keys of models reach no command of a plan, and are in no file of orch',
  async () => {
    const run = 'env > seen.txt';
    const { rig } = withCanary([
      {
        id: 'A',
        setup: ['env > set.txt; cat set.txt'],
        tasks: [{ run }],
        acceptance_tests: [{ run: 'env' }],
      },
    ]);
    const env = { OPENAI_API_KEY: SECRET, ANTHROPIC_AUTH_TOKEN: SECRET, ORCH_LLM_API_KEY: SECRET };
    expect(await rig.orch(['launch'], { env })).toMatchObject({ code: 0 });
    await rig.orch(['wait', '--quiet']);
    expect(rig.status('A')).toBe('completed');
    expect(rig.git('show', 'orch/A:seen.txt')).not.toContain(SECRET);
    for (const folder of ['.status', '.logs']) {
      for (const name of readdirSync(join(rig.root, folder)).filter((one) =>
        /\.(json|log|err|ndjson)$/.test(one),
      ))
        expect([name, readFileSync(join(rig.root, folder, name), 'utf8').includes(SECRET)]).toEqual([
          name,
          false,
        ]);
    }
  },
  BOUND_MS,
);

test(
  'hostile values of the environment end in a coded answer',
  async () => {
    const { rig, untouched } = withCanary(PLAN);
    for (const root of [
      '/dev/null',
      '/dev/zero',
      join(rig.aside, 'secret'),
      'x'.repeat(5_000),
      'a\nb\u001b[2J',
      '-rf',
    ]) {
      const { code, stderr } = await rig.orch(['status'], { env: { ORCH_ROOT: root } });
      expect([root, code]).toEqual([root, 2]);
      expect(stderr.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f]|^\s+at /);
    }
    const odd = {
      ORCH_WORKSTREAM: '../x',
      ORCH_TOKEN: '',
      ORCH_ATTEMPT: '1e9',
      GIT_DIR: rig.aside,
      GIT_WORK_TREE: rig.aside,
    };
    expect(await rig.orch(['launch', '--dry-run'], { env: odd })).toMatchObject({ code: 0 });
    untouched();
  },
  BOUND_MS,
);

test(
  'no control character of a task or of the name of the root is shown by a launch',
  async () => {
    const outer = rigOf();
    const strange = rigAt(join(outer.aside, 'ro\u001b[31mo\u202et'));
    onTestFinished(() => strange.end());
    // C0, C1, a bidi override and DEL.
    const run = 'echo \u001b[2J \u009b31mhi \u202eabc \u007f';
    const plan = [{ id: 'A', tasks: [{ run }], files_scope: ['src/'] }];
    strange.write('orch.plan.json', JSON.stringify(plan));
    strange.git('init', '--quiet');
    strange.git('add', '--all');
    strange.git('commit', '--quiet', '--message=start');
    for (const args of [
      ['launch', '--dry-run'],
      ['run', '--dry-run'],
      ['launch', '--dry-run', '--json'],
      ['launch'],
      ['wait'],
    ]) {
      const { code, stdout, stderr } = await strange.orch(args);
      expect([args, code]).toEqual([args, 0]);
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  },
  BOUND_MS,
);
