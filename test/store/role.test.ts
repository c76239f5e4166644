import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { identify } from '../../lib/process/identity.ts';
import {
  orchestratorLockPath,
  orchestratorPath,
  orchestratorPidPath,
  pidsDir,
  recordLockPath,
  recordPath,
  statusDir,
} from '../../lib/protocol/layout.ts';
import { findLeftovers, removeLeftover } from '../../lib/store/leftovers.ts';
import { lockHolder, takeLock, withLock } from '../../lib/store/lock.ts';
import { currentOrchestrator, takeRole } from '../../lib/store/role.ts';
import { endAll, makeRoot, type Program, runProgram } from './run-program.ts';

afterEach(endAll);

const actor = { role: 'test', pid: process.pid };
const busy = { code: 'BUSY', hint: expect.any(String) };

async function actorAt(root: string): Promise<(command: string) => Promise<string>> {
  return (await programAt(root)).ask;
}

async function programAt(
  root: string,
): Promise<{ program: Program; ask: (command: string) => Promise<string> }> {
  const program = runProgram('role', [root]);
  expect(await program.line()).toBe('ready');
  const ask = async (command: string): Promise<string> => {
    program.tell(command);
    return program.line();
  };
  return { program, ask };
}

describe('the role', () => {
  it('is one process’s at a time, and free after a resignation', async () => {
    const root = makeRoot();
    expect(await currentOrchestrator(root)).toBeNull();
    const ask = await actorAt(root);
    expect(await ask('take 0')).toBe('taken');
    await expect(takeRole(root, actor, 0)).rejects.toMatchObject(busy);
    expect(await ask('announce')).toBe('announced');
    expect(await currentOrchestrator(root)).toMatchObject({ alive: true, mode: 'detached', ended_at: null });
    await expect(takeRole(root, actor, 0)).rejects.toMatchObject(busy);
    await ask('resign');
    expect(await currentOrchestrator(root)).toMatchObject({ alive: false, ended_at: expect.any(Number) });
    expect(readdirSync(pidsDir(root))).toEqual([]);
    await expect(takeRole(root, actor, 0)).rejects.toMatchObject(busy);
    await ask('release');
    await (await takeRole(root, actor, 0)).release();
  });

  it('goes to one of two who want it at once', async () => {
    const root = makeRoot();
    const both = [await actorAt(root), await actorAt(root)];
    const answers = await Promise.all(both.map((ask) => ask('take 0')));
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1);
    expect(answers.filter((answer) => answer.startsWith('failed BUSY'))).toHaveLength(1);
  });

  it('is free at once when its holder was killed', async () => {
    const root = makeRoot();
    const { program, ask } = await programAt(root);
    await ask('take 0');
    await ask('announce');
    program.signal('SIGKILL');
    await program.ended;
    expect(await currentOrchestrator(root)).toMatchObject({ alive: false });
    const role = await takeRole(root, actor, 0);
    await role.announce('attached');
    expect(readFileSync(orchestratorPidPath(root), 'utf8')).toBe(`${process.pid}\n`);
    await role.release();
  });

  it('waits for its heir: nobody else steps in between', async () => {
    const root = makeRoot();
    const heir = await programAt(root);
    const launcher = await takeRole(root, actor, 0);
    await launcher.bequeath(heir.program.pid);
    await launcher.release();
    expect(lockHolder(orchestratorLockPath(root))).toBe('free');
    const stranger = await actorAt(root);
    expect(await stranger('take 0')).toMatch(/^failed BUSY/);
    await expect(takeRole(root, actor, 0)).rejects.toMatchObject(busy);
    expect(lockHolder(orchestratorLockPath(root))).toBe('free');
    expect(await heir.ask('take 0')).toBe('taken');
  });

  it('is free when the heir died before it came', async () => {
    const root = makeRoot();
    const heir = await programAt(root);
    const launcher = await takeRole(root, actor, 0);
    await launcher.bequeath(heir.program.pid);
    heir.program.signal('SIGKILL');
    await heir.program.ended;
    await launcher.release();
    const stranger = await actorAt(root);
    expect(await stranger('take 0')).toBe('taken');
  });

  it('cannot be left to a process that is gone', async () => {
    const root = makeRoot();
    const heir = await programAt(root);
    heir.program.signal('SIGKILL');
    await heir.program.ended;
    const launcher = await takeRole(root, actor, 0);
    await expect(launcher.bequeath(heir.program.pid)).rejects.toMatchObject({ code: 'START_FAILED' });
    await launcher.release();
  });

  it('is not ours because a process elsewhere has our number', async () => {
    const root = makeRoot();
    const identity = { ...(await identify(process.pid, '')), host: 'another-host' };
    const file = {
      schema: 'orch.orchestrator/1',
      pid: process.pid,
      identity,
      mode: 'detached',
      started_at: 1,
      ended_at: null,
    };
    writeFileSync(orchestratorPath(root), JSON.stringify(file));
    await expect(takeRole(root, actor, 0)).rejects.toMatchObject(busy);
    expect(lockHolder(orchestratorLockPath(root))).toBe('free');
  });

  it('is decided by the lock alone where the file is torn, and given back where it cannot be read', async () => {
    const root = makeRoot();
    const bytes = [Buffer.from([0xff]), Buffer.from('{"host": "\u00e4').subarray(0, -1), 'x'.repeat(70_000)];
    for (const text of ['', '{"pid": 1', '[]', '{"pid": "1"}', 'null', ...bytes]) {
      writeFileSync(orchestratorPath(root), text);
      expect(await currentOrchestrator(root)).toBeNull();
      await (await takeRole(root, actor, 0)).release();
    }
    const other = makeRoot();
    mkdirSync(orchestratorPath(other));
    await expect(takeRole(other, actor, 0)).rejects.toMatchObject({ code: 'UNSAFE_FOLDER' });
    expect(lockHolder(orchestratorLockPath(other))).toBe('free');
  });
});

describe('leftovers', () => {
  const id = 'WS-001';

  it('are found and removed: temporary files, locks of the dead, free lock folders', async () => {
    const root = makeRoot();
    const temporaries = ['WS-001.json.123456', 'WS-001.stop.1', '_plan.json.77', 'a.b.json.4294967295'];
    for (const name of temporaries) writeFileSync(join(statusDir(root), name), 'half');
    writeFileSync(join(pidsDir(root), 'WS-001.pid.9'), '1');
    mkdirSync(recordLockPath(root, 'free'));
    const holder = runProgram('hold', [recordLockPath(root, 'dead'), '0']);
    expect(await holder.line()).toBe('held');
    holder.signal('SIGKILL');
    await holder.ended;
    const aside = `${recordLockPath(root, 'aside')}.${'0'.repeat(32)}`;
    mkdirSync(aside);
    utimesSync(aside, 1, 1);

    const found = await findLeftovers(root);
    expect(found).toHaveLength(temporaries.length + 4);
    for (const leftover of found) expect(await removeLeftover(root, leftover), leftover.path).toBe(true);
    expect([...readdirSync(statusDir(root)), ...readdirSync(pidsDir(root))]).toEqual([]);
    for (const leftover of found) expect(await removeLeftover(root, leftover), leftover.path).toBe(false);
  });

  it('are never what somebody uses or a person put there', async () => {
    const root = makeRoot();
    const kept = [
      'WS-001.json',
      'WS-001.json.unreadable-1',
      'WS-001.json.bak',
      'WS-001.heartbeat',
      '.gitignore',
      'note.123',
    ];
    for (const name of kept) writeFileSync(join(statusDir(root), name), '');
    writeFileSync(join(statusDir(root), 'file.lock'), 'precious');
    mkdirSync(recordLockPath(root, 'garbage'));
    writeFileSync(join(recordLockPath(root, 'garbage'), 'garbage'), '');
    mkdirSync(`${recordLockPath(root, 'young')}.${'0'.repeat(32)}`);
    const release = await takeLock(recordLockPath(root, id), { boundMs: 0 });
    expect(await findLeftovers(root)).toEqual([]);
    await release();
  });

  it('of a writer who is at it stay: the lock comes first', async () => {
    const root = makeRoot();
    const path = `${recordPath(root, id)}.123`;
    writeFileSync(path, 'half');
    let removed: Promise<boolean> | null = null;
    await withLock(recordLockPath(root, id), async () => {
      const [leftover] = await findLeftovers(root);
      if (leftover === undefined) throw new Error('not found');
      removed = removeLeftover(root, leftover);
      await new Promise((resolve) => setImmediate(resolve));
      expect(readFileSync(path, 'utf8')).toBe('half');
    });
    expect(await removed).toBe(true);
  });

  it('of the orchestrator stay while it lives', async () => {
    const root = makeRoot();
    const path = `${orchestratorPath(root)}.123`;
    writeFileSync(path, 'half');
    const ask = await actorAt(root);
    expect(await ask('take 0')).toBe('taken');
    const [leftover] = await findLeftovers(root);
    if (leftover === undefined) throw new Error('not found');
    expect(await removeLeftover(root, leftover)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('half');
    await ask('release');
    expect(await removeLeftover(root, leftover)).toBe(true);
  });
});
