import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BOUND_MS } from '../rig/ledger.ts';
import { rigOf } from '../rig/rigs.ts';

const COMMIT = 'git -c user.name=T -c user.email=t@localhost commit --quiet --message=stray';

/** Commits beside the branch, comes back to it, and then does something else. */
const strayTask = (then: string): string =>
  [
    'git checkout --quiet --detach && echo stray > stray.txt && git add stray.txt',
    `${COMMIT} && git rev-parse HEAD > "$ORCH_ROOT.aside/stray"`,
    `git checkout --quiet orch/A; ${then}`,
  ].join(' && ');

describe('a commit that a tool made beside the branch', { timeout: BOUND_MS }, () => {
  it.each([
    ['that was done', 0],
    ['that failed for good', 3],
  ])('hangs on the salvage ref after a task %s', async (_, code) => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: strayTask(`exit ${code}`) }] }]);
    await rig.orch(['launch']);
    await rig.orch(['wait']);
    expect(rig.status('A')).toBe(code === 0 ? 'completed' : 'failed');
    const stray = readFileSync(join(rig.aside, 'stray'), 'utf8').trim();
    const refs = rig.git('for-each-ref', `--contains=${stray}`, '--format=%(refname)').trim();
    expect(refs).toBe('refs/orch/salvage/A/1');
  });

  it('hangs on the salvage ref after its worker was killed for good', async () => {
    const run = strayTask('kill -9 $(cat "$ORCH_ROOT/.pids/A.pid"); sleep 60');
    const rig = rigOf([{ id: 'A', tasks: [{ run }] }]);
    await rig.orch(['launch', '--restart', '0']);
    await rig.orch(['reattach']);
    expect(rig.status('A')).toBe('crashed');
    const stray = readFileSync(join(rig.aside, 'stray'), 'utf8').trim();
    const refs = rig.git('for-each-ref', `--contains=${stray}`, '--format=%(refname)').trim();
    expect(refs).toBe('refs/orch/salvage/A/1');
    // What it leaves is no attempt: the next one goes on from there.
    expect((await rig.orch(['retry', 'A'])).code).toBe(0);
    await rig.orch(['wait']);
    expect(rig.record('A')).toMatchObject({ attempt: 2 });
  });
});
