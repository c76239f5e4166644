import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { snapshot } from '../../lib/proof/checkout.ts';
import { gather } from '../../lib/proof/gather.ts';
import { judge } from '../../lib/proof/judge.ts';
import { makeWorkshop } from '../../lib/proof/workshop.ts';
import { takeLock } from '../../lib/store/lock.ts';

it('takes a lock that is let go while it looks for none that is left', async () => {
  const { root, aside, asked } = makeWorkshop([{ id: 'a', tasks: [[]] }]);
  onTestFinished(() => {
    for (const folder of [root, aside]) rmSync(folder, { recursive: true, force: true });
  });
  const before = await snapshot(root);
  mkdirSync(join(root, '.status'));
  const release = await takeLock(join(root, '.status/_orchestrator.lock'), { boundMs: 1_000 });
  const end = { restartLimit: 2, recovered: false, reaped: true };
  const gathered = gather({ root, aside, asked, before, ...end });
  await release();
  expect(judge(await gathered).filter(({ guarantee }) => guarantee === 6)).toEqual([]);
});
