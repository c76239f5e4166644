import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BOUND_MS } from '../rig/ledger.ts';
import { rigOf } from '../rig/rigs.ts';

const COMMIT = 'git -c user.name=T -c user.email=t@localhost commit --quiet --message=stray';

/** Commits beside the branch, comes back to it, and ends with `code`. */
const strayTask = (code: number): string =>
  [
    'git checkout --quiet --detach && echo stray > stray.txt && git add stray.txt',
    `${COMMIT} && git rev-parse HEAD > "$ORCH_ROOT.aside/stray"`,
    `git checkout --quiet orch/A; exit ${code}`,
  ].join(' && ');

describe('a commit that a tool made beside the branch', { timeout: BOUND_MS }, () => {
  it.each([
    ['that was done', 0],
    ['that failed for good', 3],
  ])('hangs on the salvage ref after a task %s', async (_, code) => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: strayTask(code) }] }]);
    await rig.orch(['launch']);
    await rig.orch(['wait']);
    expect(rig.status('A')).toBe(code === 0 ? 'completed' : 'failed');
    const stray = readFileSync(join(rig.aside, 'stray'), 'utf8').trim();
    const refs = rig.git('for-each-ref', `--contains=${stray}`, '--format=%(refname)').trim();
    expect(refs).toBe('refs/orch/salvage/A/1');
  });
});
