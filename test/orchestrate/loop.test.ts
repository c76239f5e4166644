import { expect, it } from 'vitest';
import { PERMISSIONS, pass } from '../../lib/orchestrate/loop.ts';
import { newMemory } from '../../lib/orchestrate/observe.ts';
import { makeFolders } from '../../lib/store/folders.ts';
import { readRecord } from '../../lib/store/records.ts';
import { putPlan } from '../cli/rig.ts';
import { rigOf } from '../rig/rigs.ts';

it('does nothing more of a round once it is told to stop: what was decided may follow from the stop', async () => {
  const { root } = rigOf();
  makeFolders(root);
  await putPlan(root, ['A', 'B']);
  const actor = { role: 'test', pid: process.pid };
  const options = { root, permissions: PERMISSIONS.orchestrate, mode: 'attached', actor } as const;
  const leave = new AbortController();
  // In the middle of it.
  const onDone = (): void => leave.abort();
  const stopped = await pass({ ...options, memory: newMemory(), stop: leave.signal, onDone });
  expect(stopped.planned).toMatchObject([
    { type: 'create', id: 'A' },
    { type: 'create', id: 'B' },
  ]);
  expect(stopped.done).toMatchObject([{ ok: true, action: { id: 'A' } }]);
  expect(readRecord(root, 'B')).toMatchObject({ kind: 'missing' });
});
