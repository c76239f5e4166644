import { expect, it } from 'vitest';
import { BOUND_MS } from '../rig/ledger.ts';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** Folders of the user's checkout, copied into worktrees in which tools make files beside what was copied. */

const ONCE = 'test "$ORCH_ATTEMPT" != 1 ||';

const filesOf = (rig: Rig, ref: string): string[] =>
  rig.git('ls-tree', '-r', '--name-only', ref).split('\n').filter(Boolean).sort();

it(
  'what a tool makes in a copied folder is committed and salvaged, what was copied is not',
  async () => {
    const rig = rigOf(
      [
        {
          id: 'A',
          copy: ['conf', 'many'],
          tasks: [
            {
              run: 'test -e conf/deep/key && echo made > conf/made && echo changed > conf/key && echo x > many/x',
            },
            { run: `${ONCE} { echo half > conf/half; kill -9 $(cat "$ORCH_ROOT/.pids/A.pid"); sleep 60; }` },
          ],
          acceptance_tests: [
            { run: 'test ! -e conf/half && echo left > conf/left && echo left > conf/tracked' },
            { run: 'grep -q KEY conf/key && grep -q KEY conf/deep/key && test -e conf/made' },
            { run: 'test -e many/500' },
          ],
        },
      ],
      { 'README.md': 'hello\n', 'conf/tracked': 'tracked\n' },
    );
    rig.write('conf/key', 'KEY=1\n');
    rig.write('conf/deep/key', 'KEY=2\n');
    for (let n = 0; n <= 500; n += 1) rig.write(`many/${n}`, 'KEY\n');
    await rig.orch(['launch']);
    await rig.orch(['reattach']);
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2, reason: null });
    const work = ['README.md', 'conf/made', 'conf/tracked', 'orch.plan.json'];
    expect(filesOf(rig, 'orch/A')).toEqual(work);
    // More files than git can be told of: the folder as a whole stays out.
    expect(filesOf(rig, 'refs/orch/salvage/A/1')).toEqual([...work, 'conf/half'].sort());
    for (const ref of ['orch/A', 'refs/orch/salvage/A/1'])
      expect(rig.git('show', `${ref}:conf/tracked`)).toBe('tracked\n');
  },
  BOUND_MS,
);

it(
  'a repository in a copied folder stays out as a whole, and where it is',
  async () => {
    const rig = rigOf([
      {
        id: 'A',
        copy: ['vendor'],
        tasks: [{ run: 'echo more > vendor/lib/more; echo x > x' }, { run: 'test -e vendor/lib/.git/HEAD' }],
        acceptance_tests: [{ run: 'test -e vendor/lib/more' }],
      },
    ]);
    rig.git('init', '--quiet', 'vendor/lib');
    rig.write('vendor/lib/a', 'a\n');
    await rig.orch(['launch']);
    await rig.orch(['wait']);
    expect(rig.status('A')).toBe('completed');
    expect(filesOf(rig, 'orch/A')).toEqual(['README.md', 'orch.plan.json', 'x']);
  },
  BOUND_MS,
);
