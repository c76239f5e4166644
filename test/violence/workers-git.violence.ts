import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, it } from 'vitest';
import { personEnvironment, type Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

const PLAN = {
  workstreams: [
    { id: 'A', tasks: [{ run: 'echo one > one.txt' }, { run: 'echo two > two.txt' }] },
    { id: 'B', depends_on: ['A'], tasks: [{ run: 'test -f one.txt -a -f two.txt' }] },
  ],
};

/** A PATH whose git kills itself at its first command that holds `words`, or at each. */
function killing(rig: Rig, words: string, isEach: boolean): Record<string, string> {
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const bin = join(rig.aside, 'bin');
  const kill = isEach
    ? 'kill -9 $$'
    : `[ -e '${rig.aside}/killed' ] || { : > '${rig.aside}/killed'; kill -9 $$; }`;
  const shim = `#!/bin/sh\ncase "$*" in *'${words}'*) ${kill} ;; esac\nexec '${real}' "$@"\n`;
  rig.write(`../${rig.aside.split('/').at(-1)}/bin/git`, shim);
  chmodSync(join(bin, 'git'), 0o755);
  return { PATH: `${bin}${delimiter}${personEnvironment()['PATH']}` };
}

it.each(['worktree add', 'write-tree', 'commit-tree', 'update-ref'])(
  'restarts a worker whose git (%s) was ended by somebody',
  async (words) => {
    const rig = rigOf(PLAN);
    const env = killing(rig, words, false);
    await rig.orch(['launch'], { env });
    expect(await rig.orch(['wait'], { env })).toMatchObject({ code: 0 });
    expect(existsSync(join(rig.aside, 'killed'))).toBe(true);
    const crashes = rig.events().filter(({ to }) => to === 'crashed');
    expect(crashes).toEqual([expect.objectContaining({ why: expect.stringContaining('SIGKILL') })]);
    expect(rig.git('show', 'orch/A:two.txt')).toBe('two\n');
  },
);

it('says what ended it where that is so each time', async () => {
  const rig = rigOf(PLAN);
  const env = killing(rig, 'commit-tree', true);
  await rig.orch(['launch', '--restart', '1'], { env });
  expect(await rig.orch(['wait'], { env })).toMatchObject({ code: 1 });
  expect(rig.record('A')).toMatchObject({
    status: 'crashed',
    attempt: 2,
    signal: 'SIGKILL',
    exit_code: null,
    reason: {
      code: 'terminated',
      message: expect.stringMatching(/^git .*commit-tree.* was ended by SIGKILL/),
    },
  });
  expect(rig.record('B')).toMatchObject({ status: 'blocked' });
});
