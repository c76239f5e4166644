import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findKin, type WorkerTrace } from '../../lib/process/kin.ts';
import { limitMark, scopeUnit } from '../../lib/process/scope-unit.ts';
import { createToken, origin, type ProcessInfo } from '../../lib/process/system.ts';
import { worktreePath } from '../../lib/protocol/layout.ts';
import { endAll, eventually, kill, kinOf, makeFolder, pidIn, program, start, startWorker } from './rig.ts';

const onLinux = process.platform === 'linux';

afterEach(endAll);

const ZOO = [
  'ignores-sigterm.sh',
  'forks-grandchild.sh',
  'escapes-session.sh',
  'clears-environment.sh',
  'hides.sh',
];

describe.runIf(onLinux)('findKin on Linux', () => {
  it('finds all of the zoo, with its proofs, while the worker lives and after', async () => {
    const root = makeFolder();
    const { pid, tools, trace, token } = await startWorker(root, 'A', ZOO);
    const proofs = async () => {
      const kin = await kinOf(root, [trace]);
      return Object.fromEntries(ZOO.map((name) => [name, kin.get(tools.get(name) ?? 0)?.proof]));
    };
    const expected = {
      'ignores-sigterm.sh': 'marker',
      'forks-grandchild.sh': 'marker',
      'escapes-session.sh': 'marker',
      'clears-environment.sh': 'session',
      'hides.sh': 'cwd',
    };
    await eventually(
      'all with their proofs',
      async () => JSON.stringify(await proofs()) === JSON.stringify(expected),
    );
    const living = await kinOf(root, [trace]);
    expect(living.get(pid)).toMatchObject({ proof: 'worker', ofLiveWorker: true, workstream: 'A', token });
    expect([...living.values()].filter(({ ofLiveWorker }) => !ofLiveWorker)).toEqual([]);

    await kill(pid);
    expect(await proofs()).toEqual(expected);
    const orphans = await kinOf(root, [trace]);
    expect(orphans.size).toBe(ZOO.length);
    expect([...orphans.values()].filter(({ ofLiveWorker }) => ofLiveWorker)).toEqual([]);
  });

  it('finds the marked without any trace, and nothing for another root', async () => {
    const root = makeFolder();
    const { pid, tools } = await startWorker(root, 'A', ['escapes-session.sh']);
    expect([...(await kinOf(root, [])).keys()]).toContain(tools.get('escapes-session.sh'));
    expect([...(await kinOf(root, [])).keys()]).toContain(pid);
    expect((await findKin(makeFolder(), [])).kin).toEqual([]);
  });

  it('finds who sits in a worktree that was deleted', async () => {
    const root = makeFolder();
    const { pid, tools, trace } = await startWorker(root, 'A', ['hides.sh']);
    const hidden = tools.get('hides.sh') ?? 0;
    await kill(pid);
    rmSync(trace.worktree, { recursive: true });
    await eventually('the hidden one', async () => (await kinOf(root, [trace])).get(hidden)?.proof === 'cwd');
  });

  it('takes a shell with a terminal for a bystander, and an older process too', async () => {
    const root = makeFolder();
    const { pid, trace } = await startWorker(root, 'A', []);
    await kill(pid);
    const cwd = trace.worktree;
    const file = join(root, 'shell');
    await start('python3', [program('sits-at-terminal.py'), file], {
      cwd,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const shell = await pidIn(file);
    const older = await start('sleep', ['60'], { cwd, detached: true });
    const identity = trace.identity as NonNullable<WorkerTrace['identity']>;
    const look = async (start_time: number) => {
      const { kin, bystanders } = await findKin(root, [{ ...trace, identity: { ...identity, start_time } }]);
      return { kin: kin.map((one) => one.pid), bystanders: bystanders.map((one) => one.pid) };
    };
    const after = await look(Number.MAX_SAFE_INTEGER);
    expect(after.kin).toEqual([]);
    expect(after.bystanders).toEqual(expect.arrayContaining([shell, older.pid]));
    await eventually('the younger one as kin', async () => {
      const { kin, bystanders } = await look(identity.start_time);
      return kin.includes(older.pid) && !kin.includes(shell) && bystanders.includes(shell);
    });
  });

  it('does not count a worktree outside of its folder, or an earlier boot, as proof', async () => {
    const root = makeFolder();
    const { pid, tools, trace } = await startWorker(root, 'A', ['hides.sh']);
    const hidden = tools.get('hides.sh') ?? 0;
    await kill(pid);
    await eventually('kin by cwd', async () => (await kinOf(root, [trace])).has(hidden));
    const identity = { ...trace.identity, boot_id: 'earlier' } as NonNullable<WorkerTrace['identity']>;
    for (const other of [{ worktree: root }, { worktree: '/' }, { worktree: '' }, { identity }]) {
      expect((await kinOf(root, [{ ...trace, ...other }])).has(hidden)).toBe(false);
    }
  });

  it('goes on where a worktree is a link to itself', async () => {
    const root = makeFolder();
    const { pid, tools, trace } = await startWorker(root, 'A', ['hides.sh']);
    const worktree = worktreePath(root, 'B');
    symlinkSync(worktree, worktree);
    await kill(pid);
    const traces = [{ ...trace, id: 'B', worktree, identity: null, pid: null }, trace];
    await eventually('kin by cwd', async () => (await kinOf(root, traces)).has(tools.get('hides.sh') ?? 0));
  });

  it('leaves an orchestrator, which a worker started, and what is in its session', async () => {
    const root = makeFolder();
    const { pid, trace } = await startWorker(root, 'A', []);
    const orchestrator = await start('sh', ['-c', `sleep 60 & echo $! > ${root}/git; wait`, '_orchestrate'], {
      cwd: trace.worktree,
      detached: true,
      env: { PATH: process.env['PATH'], ORCH_ROOT: root },
    });
    const git = await pidIn(join(root, 'git'));
    await kill(pid);
    const { kin, bystanders } = await findKin(root, [trace]);
    const named = [...kin, ...bystanders].map((one) => one.pid);
    expect(named).not.toContain(orchestrator.pid);
    expect(named).not.toContain(git);
  });
});

describe('findKin on the portable backend', () => {
  it('finds worker, descendants and session', async () => {
    const root = makeFolder();
    process.env['ORCH_PROCESS_BACKEND'] = 'portable';
    const { pid, tools, trace } = await startWorker(root, 'A', [
      'ignores-sigterm.sh',
      'clears-environment.sh',
    ]);
    const living = await kinOf(root, [trace]);
    expect(living.get(pid)).toMatchObject({ proof: 'worker', ofLiveWorker: true });
    expect(living.get(tools.get('ignores-sigterm.sh') ?? 0)).toMatchObject({ ofLiveWorker: true });
    await kill(pid);
    const orphans = await kinOf(root, [trace]);
    for (const tool of tools.values())
      expect(orphans.get(tool)).toMatchObject({ proof: 'session', ofLiveWorker: false });
  });
});

describe.runIf(onLinux)('findKin in made-up tables', () => {
  const root = '/made/up';
  const now = Date.now() / 1_000;
  const token = createToken();
  let trace: WorkerTrace;
  beforeAll(async () => {
    const identity = { ...(await origin()), start_time: 1_000, session: 500, token };
    const worktree = worktreePath(root, 'A');
    trace = { id: 'A', pid: 500, identity, worktree, lastSignAt: now - 500 };
  });

  /** A process of our user with nothing to tell, half an hour old unless said otherwise. */
  function made(pid: number, fields: Partial<ProcessInfo> = {}): ProcessInfo {
    return {
      pid,
      ppid: 1,
      pgrp: pid,
      session: pid,
      hasTerminal: false,
      zombie: false,
      stopped: false,
      opaque: false,
      startTime: 2_000,
      startedAt: now - 900,
      uid: process.getuid?.() ?? 0,
      command: 'tool',
      environ: {},
      cwd: '/',
      cgroup: null,
      limitMark: null,
      ...fields,
    };
  }

  const proofs = async (table: ProcessInfo[], traces: WorkerTrace[] = [trace]) => {
    const { kin } = await findKin(root, traces, table);
    return Object.fromEntries(kin.map(({ pid, proof }) => [pid, proof]));
  };
  const marked = (its = token) => ({ ORCH_ROOT: root, ORCH_WORKSTREAM: 'A', ORCH_TOKEN: its });

  it('takes members of the session that were born while the worker lived', async () => {
    expect(await proofs([made(600, { session: 500 }), made(601, { pgrp: 500 })])).toEqual({
      600: 'session',
      601: 'session',
    });
  });

  it('takes a later member only beside one that held the number ever since', async () => {
    const late = made(601, { session: 500, startedAt: now - 100, startTime: 9_000 });
    expect(await proofs([late])).toEqual({});
    expect(await proofs([late, made(600, { session: 500 })])).toEqual({ 600: 'session', 601: 'session' });
  });

  it.each([
    ['the number is a stranger now', {}, made(500, { startTime: 1_500 })],
    ['it has the same start tick, but another token', {}, made(500, { startTime: 1_000 })],
    ['it is another user', { uid: 12_345 }, null],
    ['it is older than the worker', { startTime: 999 }, null],
    ['it carries another token', { environ: { ORCH_TOKEN: createToken() } }, null],
    ['it carries another root', { environ: { ORCH_ROOT: '/other' } }, null],
    ['it is a zombie', { zombie: true }, null],
  ])('leaves a member of the session alone where %s', async (_why, fields, leader) => {
    const member = made(600, { session: 500, ...fields });
    expect(await proofs(leader === null ? [member] : [leader, member])).toEqual({});
  });

  it('needs a worker that led the session', async () => {
    const identity = { ...trace.identity, session: null } as NonNullable<WorkerTrace['identity']>;
    expect(await proofs([made(600, { session: 500 })], [{ ...trace, identity }])).toEqual({});
    expect(await proofs([made(600, { session: 500 })], [{ ...trace, lastSignAt: null }])).toEqual({});
  });

  it('takes a zombie that led the session for the worker', async () => {
    const leader = made(500, { startTime: 1_000, zombie: true });
    expect(await proofs([leader, made(600, { session: 500 })])).toEqual({ 600: 'session' });
  });

  it('follows descent, but not into another worker or an orchestrator', async () => {
    const table = [
      made(604, { ppid: 603 }),
      made(603, { ppid: 602 }),
      made(602, { environ: marked() }),
      made(605, { ppid: 602, environ: { ORCH_TOKEN: createToken() } }),
      made(606, {
        ppid: 602,
        command: 'node orch.js _orchestrate --root /made/up',
        environ: { ORCH_ROOT: root },
      }),
      made(607, { ppid: 606 }),
      made(608, { session: 603 }),
    ];
    expect(await proofs(table)).toEqual({
      602: 'marker',
      603: 'descendant',
      604: 'descendant',
      608: 'session',
    });
  });

  it('takes who has shed everything but the limit or the scope, and nobody else', async () => {
    const unit = (where: string): string =>
      `/app.slice/${scopeUnit({ root: where, workstream: 'A', attempt: 1, token }, 1)}`;
    const bare = { ppid: 1, startTime: 3_000, environ: {} };
    const orchestrator = {
      command: 'node orch.js _orchestrate --root /made/up',
      environ: { ORCH_ROOT: root },
    };
    const table = [
      made(620, { ...bare, limitMark: limitMark(token) }),
      made(621, { ...bare, limitMark: limitMark(createToken()) }),
      made(622, { ...bare, limitMark: limitMark(token), environ: { ORCH_TOKEN: createToken() } }),
      made(623, { ...bare, cgroup: unit(root) }),
      made(624, { ...bare, cgroup: unit('/another') }),
      made(625, { ...bare, cgroup: unit(root), environ: { ORCH_ROOT: '/another' } }),
      made(626, { ...bare, limitMark: limitMark(token), zombie: true }),
      // An orchestrator that a command started, and git that it runs.
      made(630, { ...bare, ...orchestrator, session: 630, limitMark: limitMark(token), cgroup: unit(root) }),
      made(631, { ...bare, ppid: 630, session: 630, limitMark: limitMark(token), cgroup: unit(root) }),
    ];
    expect(await proofs(table)).toEqual({ 620: 'limit', 623: 'scope' });
    // The name of a scope says it all; whose limit it is, a record or another process must tell.
    expect(await proofs(table, [])).toEqual({ 623: 'scope' });
    const witness = made(640, { environ: marked() });
    expect(await proofs([...table, witness], [])).toEqual({ 620: 'limit', 623: 'scope', 640: 'marker' });
  });

  it('takes nobody who has the scope or the limit by way of another worker or orchestrator', async () => {
    const branded = {
      limitMark: limitMark(token),
      cgroup: `/app.slice/${scopeUnit({ root, workstream: 'A', attempt: 1, token }, 1)}`,
    };
    const another = { ORCH_ROOT: '/another', ORCH_WORKSTREAM: 'A', ORCH_TOKEN: createToken() };
    const orchestrator = { command: 'node orch.js _orchestrate --root /another', environ: {} };
    const table = [
      made(650, { ...branded, ...orchestrator }),
      // Between exec and its first word, a worker has neither arguments nor environment.
      made(651, { ...branded, ppid: 650, opaque: true, command: '[node]' }),
      made(652, { ...branded, ppid: 650, session: 652, environ: another }),
      // What a worker asks the system with has no token.
      made(653, { ...branded, ppid: 652, command: 'systemd-run --scope true' }),
      made(654, { ...branded, ppid: 653 }),
      // An orphan of a command of that worker.
      made(655, { ...branded, limitMark: limitMark(another.ORCH_TOKEN) }),
      made(656, { ...branded, ppid: process.pid }),
      made(process.pid, branded),
      // One that took in an orphan, and has no mark of it.
      made(661, { environ: another }),
      made(662, { ...branded, ppid: 661 }),
      // A worker of this one's that is nested in that one is nearer.
      made(657, { ppid: 652, environ: marked() }),
      made(658, { ...branded, ppid: 657, session: 658 }),
      made(659, { ...branded }),
      made(660, { ...branded, ppid: 659 }),
    ];
    expect(await proofs(table)).toEqual({
      657: 'marker',
      658: 'descendant',
      659: 'scope',
      660: 'scope',
      662: 'scope',
    });
  });

  it('protects what belongs to a live token, whatever the records say', async () => {
    const living = createToken();
    const table = [
      made(700, { environ: marked(living), command: `node worker.js A 2 ${living}` }),
      made(701, { environ: marked(living) }),
      made(702, { environ: marked() }),
      made(703, { cwd: trace.worktree }),
      made(704, { environ: marked(), command: `env ORCH_TOKEN=${token} tool` }),
    ];
    const { kin } = await findKin(root, [trace], table);
    const live = Object.fromEntries(kin.map(({ pid, ofLiveWorker }) => [pid, ofLiveWorker]));
    expect(live).toEqual({ 700: true, 701: true, 702: false, 703: true, 704: false });
    expect(kin.find(({ pid }) => pid === 704)?.proof).toBe('marker');
  });

  it('takes nothing for the worker that only has its token among its words', async () => {
    const early = createToken();
    const table = [
      made(500, { startTime: 1_000, environ: marked(), command: `node worker.js A 1 ${token}` }),
      made(710, { environ: marked(), command: `sh child.sh plain A 1 1 run ${token}` }),
      made(711, { environ: marked(), command: `node worker.js A 1 ${token}` }),
      made(712, { environ: marked(early), command: `node worker.js A 2 ${early}` }),
      made(713, { environ: marked(early), command: `show ${early}` }),
    ];
    const found = { 500: 'worker', 710: 'marker', 711: 'marker', 712: 'worker', 713: 'worker' };
    expect(await proofs(table)).toEqual(found);
    const { kin } = await findKin(root, [trace], table.slice(1, 3));
    expect(kin.map(({ ofLiveWorker }) => ofLiveWorker)).toEqual([false, false]);
  });

  it('never names itself, its ancestors or init', async () => {
    const environ = marked();
    const table = [
      made(1, { ppid: 0, environ }),
      made(800, { environ }),
      made(801, { ppid: 800, environ }),
      made(process.pid, { ppid: 801, environ }),
      made(802, { ppid: 801, environ }),
    ];
    expect(await proofs(table)).toEqual({ 802: 'marker' });
  });

  it('counts a cwd only without a terminal, and when process and session are younger than the attempt', async () => {
    const cwd = `${worktreePath(root, 'A')}/src`;
    const other = createToken();
    const table = [
      made(900, { cwd }),
      made(901, { cwd: `${cwd} (deleted)` }),
      made(902, { cwd, hasTerminal: true }),
      made(903, { cwd, startTime: 999 }),
      // A clock that was set makes nobody younger.
      made(909, { cwd, startTime: 999, startedAt: now + 9_000 }),
      made(904, { cwd, session: 950 }),
      made(950, { startTime: 500 }),
      made(905, { cwd, uid: 12_345 }),
      made(906, { cwd, startedAt: Date.now() / 1_000, ppid: 960, command: 'orch run' }),
      made(960, { startedAt: Date.now() / 1_000, command: 'orch run' }),
      made(907, {
        cwd,
        environ: { ORCH_ROOT: '/other', ORCH_WORKSTREAM: 'A', ORCH_TOKEN: other },
        command: `w ${other}`,
      }),
      made(908, { cwd: `${worktreePath(root, 'A')}-2` }),
    ];
    const { kin, bystanders } = await findKin(root, [trace], table);
    expect(kin.map(({ pid }) => pid).sort()).toEqual([900, 901]);
    expect(bystanders.map(({ pid }) => pid).sort()).toEqual([902, 903, 904, 905, 906, 907, 909]);
    // After a reboot, or once a crash was settled and its workstream waits for its next attempt, nobody has proof.
    const nobody = await findKin(root, [{ ...trace, pid: null, identity: null }], [made(900, { cwd })]);
    expect(nobody.kin).toEqual([]);
    expect(nobody.bystanders.map(({ pid }) => pid)).toEqual([900]);
  });
});
