import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { act } from '../../lib/orchestrate/act.ts';
import type { Action } from '../../lib/orchestrate/decide.ts';
import type { StaleFile, View, World } from '../../lib/orchestrate/world.ts';
import { recordLockPath, stopPath } from '../../lib/protocol/layout.ts';
import type { FrozenPlan } from '../../lib/protocol/plan.ts';
import type { StatusRecord } from '../../lib/protocol/status.ts';
import { makeFolders } from '../../lib/store/folders.ts';
import { withLock } from '../../lib/store/lock.ts';
import { changeRecord, createRecord, leaseOf, readRecord } from '../../lib/store/records.ts';
import { requestStop, withdrawStop } from '../../lib/store/signs.ts';
import { plainRecord } from '../protocol/arbitraries.ts';
import { makeRepository, type Rig } from '../rig/repository.ts';
import { worldOf } from '../rig/worlds.ts';

/** What an action makes of a world that has moved on since it was decided: each of these was once a lost word. */

const ID = 'WS-001';
const ACTOR = { role: 'test', pid: process.pid };
const STOPPED = { code: 'stopped', message: 'a person stopped it', hint: null };

/** A repository with one record, and the world in which an orchestrator saw it. */
async function seen(
  context: { onTestFinished(end: () => Promise<void>): void },
  changes: Partial<StatusRecord>,
): Promise<{ rig: Rig; world: World; record: StatusRecord; stale: StaleFile }> {
  const rig = makeRepository();
  context.onTestFinished(rig.end);
  makeFolders(rig.root);
  const record = plainRecord(changes);
  expect(await createRecord(rig.root, ACTOR, record)).toMatchObject({ ok: true });
  const stale = { path: stopPath(rig.root, ID), why: 'the attempt that it means is over' };
  const view = { id: ID, read: readRecord(rig.root, ID) } as unknown as View;
  return { rig, record, stale, world: { ...worldOf(null, false, [view], []), root: rig.root } };
}

/** Decided before, done now: whoever has the lock of the record comes first. */
async function actAfter(world: World, action: Action, first: () => Promise<void>) {
  let done: ReturnType<typeof act> | null = null;
  await withLock(recordLockPath(world.root, ID), async () => {
    done = act(world, action, 'detached', ACTOR);
    await first();
  });
  return done as unknown as ReturnType<typeof act>;
}

describe('act', () => {
  it('launches nothing that a person stopped after the launch was decided', async (context) => {
    const { rig, world, record } = await seen(context, {});
    const stop = (): Promise<void> => requestStop(rig.root, ID, leaseOf(record));
    const done = await actAfter(world, { type: 'launch', id: ID, why: 'ready' }, stop);
    expect(done).toMatchObject({ ok: false, note: 'a person asked it to stop' });
    expect(readRecord(rig.root, ID)).toMatchObject({ record: { status: 'pending', attempt: 0 } });
  });

  it('settles nothing by a stop word that a person has taken back', async (context) => {
    const { rig, world, record } = await seen(context, {});
    await requestStop(rig.root, ID, leaseOf(record));
    const settle: Action = { type: 'settle', id: ID, status: 'stopped', reason: STOPPED };
    const done = await actAfter(world, settle, () => withdrawStop(rig.root, ID));
    expect(done).toMatchObject({ ok: false });
    expect(readRecord(rig.root, ID)).toMatchObject({ record: { status: 'pending' } });
    await requestStop(rig.root, ID, leaseOf(record));
    expect(await act(world, settle, 'detached', ACTOR)).toMatchObject({ ok: true });
    expect(readRecord(rig.root, ID)).toMatchObject({ record: { status: 'stopped' } });
  });

  it('begins nothing anew that a person stopped since the launch that was to do it', async (context) => {
    const { rig, world, record } = await seen(context, { run: 'run-0' });
    const planned = { id: ID, title: 't', depends_on: [], tasks: [{}, {}], definition: 'new' };
    const anew = { seen: record.last_update, fresh: true };
    const [view] = world.views;
    const planFor = { run: 'run-1', workstreams: [] } as unknown as FrozenPlan;
    const views = [{ ...view, planned: { ...planned, anew } } as unknown as View];
    const cut: World = { ...worldOf(planFor, false, views, []), root: rig.root };
    const rejoin: Action = { type: 'rejoin', id: ID, fresh: true, why: 'cut off' };
    const end = { type: 'end', status: 'stopped', exitCode: null, signal: null, reason: STOPPED } as const;
    const path = join(rig.root, '.status', `${ID}.json`);
    const before = readFileSync(path);
    const stopped = await changeRecord(rig.root, ID, leaseOf(record), 'person', ACTOR, end);
    expect(stopped).toMatchObject({ ok: true });
    expect(await act(cut, rejoin, 'detached', ACTOR)).toMatchObject({ ok: false });
    expect(readRecord(rig.root, ID)).toMatchObject({ record: { status: 'stopped', run: 'run-0' } });

    // Else it does, and an old stop word means it no more.
    writeFileSync(path, before);
    await requestStop(rig.root, ID, leaseOf(record));
    expect(await act(cut, rejoin, 'detached', ACTOR)).toMatchObject({ ok: true });
    expect(existsSync(stopPath(rig.root, ID))).toBe(false);
    expect(readRecord(rig.root, ID)).toMatchObject({
      record: { status: 'pending', run: 'run-1', fresh: true, definition: 'new', progress: '0/2' },
    });
    expect(await act(cut, rejoin, 'detached', ACTOR)).toMatchObject({ ok: false });
  });

  it('removes no stop word that a person gave after the removal was decided', async (context) => {
    const old = { status: 'stopped', reason: STOPPED, exit_code: null } as Partial<StatusRecord>;
    const { rig, world, record, stale } = await seen(context, old);
    writeFileSync(stale.path, '');
    const remove: Action = { type: 'remove', id: ID, file: stale };
    // Retried, and stopped once more.
    const done = await actAfter(world, remove, async () => {
      const path = join(rig.root, '.status', `${ID}.json`);
      writeFileSync(
        path,
        `${JSON.stringify({ ...record, status: 'pending', reason: null, last_update: 2 })}\n`,
      );
    });
    expect(done).toMatchObject({ ok: false });
    expect(existsSync(stale.path)).toBe(true);
  });
});
