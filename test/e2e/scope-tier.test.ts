import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cgroupMount } from '../../lib/process/cgroup.ts';
import { json, killHard } from '../rig/ledger.ts';
import { isAlive, signal, until, wholeLines } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';
import { startUserManager, type UserManager, whyNoUserManager } from '../rig/user-manager.ts';

/** Scopes made by a real `systemd --user`. */

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const why = whyNoUserManager();
if (why !== null) process.stderr.write(`SKIPPED: scopes of systemd: ${why}\n`);

const CONTROLLERS = (): string[] =>
  readFileSync(join(cgroupMount()?.place ?? '', 'cgroup.controllers'), 'utf8').split(/\s+/);

describe.skipIf(why !== null)('the tier scope', () => {
  let manager: UserManager;
  beforeAll(async () => {
    manager = await startUserManager();
  });
  afterAll(() => manager.end());

  const task = (run: string, fields: Record<string, unknown> = {}) => [
    { id: 'A', tasks: [{ run }], acceptance_tests: [{ run: 'true' }], ...fields },
  ];

  it('is what auto takes where the user lingers, and each command has a scope of its own', async () => {
    const note = 'sed -n s/^0:://p /proc/self/cgroup >> "$ORCH_ROOT.aside/groups"';
    const rig = rigOf(task(note, { setup: note, acceptance_tests: [{ run: note }] }));
    expect(await manager.orch(rig, ['run'])).toMatchObject({ code: 0 });
    expect(rig.record('A')).toMatchObject({
      containment: expect.stringMatching(/^scope\+session\+marker\+/),
    });
    const groups = readFileSync(join(rig.aside, 'groups'), 'utf8').trim().split('\n');
    expect(groups.map((group) => /-A-1-[0-9a-f]{32}-(\d)\.scope$/.exec(group)?.[1])).toEqual(['1', '2', '3']);
  });

  it('is not taken by auto where nobody lingers, but on demand', async () => {
    const rig = rigOf(task('true'));
    await manager.sh('mv /var/lib/systemd/linger/root /var/lib/systemd/linger/nobody');
    try {
      expect(await manager.orch(rig, ['run'])).toMatchObject({ code: 0 });
      expect(rig.record('A')['containment']).toMatch(/^session/);
      rig.write('orch.config.json', '{"containment": "scope"}');
      expect(await manager.orch(rig, ['run', '--fresh'])).toMatchObject({ code: 0 });
      expect(rig.record('A')['containment']).toMatch(/^scope/);
    } finally {
      await manager.sh('mv /var/lib/systemd/linger/nobody /var/lib/systemd/linger/root');
    }
  });

  it('keeps the exit code of a command, and tells it from that of systemd-run', async () => {
    const rig = rigOf(task('exit 3'));
    expect(await manager.orch(rig, ['run'])).toMatchObject({ code: 1 });
    expect(rig.record('A')).toMatchObject({ status: 'failed', exit_code: 3, reason: { code: 'error' } });
    // Its second answer, to the first command, is no answer any more.
    const bin = join(rig.aside, 'bin');
    await manager.sh(`mkdir ${bin}`);
    const fake = `#!/bin/sh\ncase "$*" in *orch-probe*) exec /usr/bin/systemd-run "$@";; esac\necho no scope >&2; exit 1\n`;
    writeFileSync(join(bin, 'systemd-run'), fake, { mode: 0o755 });
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
    expect(await manager.orch(rig, ['run'], env)).toMatchObject({ code: 1 });
    const reason = { code: 'spawn_failed', message: expect.stringContaining('exit code 1') };
    expect(rig.record('A')).toMatchObject({ status: 'failed', exit_code: 1, reason });
  });

  it('enforces limits or refuses them by name', async () => {
    const rig = rigOf(task('true', { limits: { memory: '64M', cpu: '50%' } }));
    const launched = await manager.orch(rig, ['run', '--json']);
    const missing = ['memory', 'cpu'].filter((name) => !CONTROLLERS().includes(name));
    if (missing.length === 0) return expect(launched).toMatchObject({ code: 0 });
    process.stderr.write(
      `SKIPPED: limits by systemd: no cgroup v2 controller for ${missing.join(' and ')} here\n`,
    );
    expect(launched.code).toBe(2);
    const { error } = JSON.parse(launched.stderr) as { error: { code: string; message: string } };
    expect(error).toMatchObject({
      code: 'NO_CONTAINMENT',
      message: expect.stringContaining(missing.join(' and ')),
    });
  });

  it('kills no orchestrator that a command started in its scope, and nothing of its workers', async () => {
    // A command of the other repository with nothing of its worker but the limit, in the scope of the outer command.
    const command = 'exec env -i sh -c \'echo $$ > "$0"; exec sleep 120\' "$ORCH_ROOT.aside/theirs"';
    const inner = rigOf(task(command), {
      'README.md': 'x',
      'orch.config.json': '{"containment": "sweep"}',
    });
    // The scope is left by a kill of the worker while its command, and an orchestrator of another repository, live.
    const escapee = `(cd / && env -i setsid sh -c 'echo $$ > "$0"; exec sleep 120' "$ORCH_ROOT.aside/escapee" &)`;
    const launch = `env -u ORCH_ROOT -u ORCH_TOKEN -u ORCH_WORKSTREAM -u ORCH_RUN -u ORCH_ATTEMPT node "$ORCH_JS" launch --root ${inner.root}`;
    const rig = rigOf(task(`${escapee}; ${launch}; touch "$ORCH_ROOT.aside/up"; sleep 120`), {
      'README.md': 'x',
      'orch.config.json': '{"containment": "scope", "restart": 0}',
    });
    const dist = process.env['ORCH_DIST'] ?? join(import.meta.dirname, '../../dist');
    expect(await manager.orch(rig, ['launch'], { ORCH_JS: join(dist, 'orch.js') })).toMatchObject({
      code: 0,
    });
    await until(() => existsSync(join(rig.aside, 'up')), { what: 'all of it', boundMs: 60_000 });
    await until(() => wholeLines(join(inner.aside, 'theirs')).length > 0, {
      what: 'the command of the other',
    });
    await until(() => wholeLines(join(rig.aside, 'escapee')).length > 0, { what: 'the one that escapes' });
    const theirs = Number(readFileSync(join(inner.aside, 'theirs'), 'utf8'));
    const escaped = Number(readFileSync(join(rig.aside, 'escapee'), 'utf8'));
    const [orchestrator, worker] = [inner.pid('_orchestrator'), inner.pid('A')];
    for (const pid of [escaped, orchestrator, worker, theirs]) expect(isAlive(pid)).toBe(true);
    await killHard(rig.pid('_orchestrator'));
    await killHard(rig.pid('A'));
    const reaped = await manager.orch(rig, ['reap', '--json']);
    const { actions } = json<{ actions: { pid: number | null; why: string }[] }>(reaped);
    expect(actions.find(({ pid }) => pid === escaped)?.why).toMatch(/proof: (scope|limit)/);
    expect(isAlive(escaped)).toBe(false);
    const signalled = rig.events().flatMap(({ event, pid }) => (event === 'signal' ? [pid] : []));
    for (const pid of [orchestrator, worker, theirs]) expect(signalled).not.toContain(pid);
    expect([orchestrator, worker, theirs].map(isAlive), JSON.stringify(inner.record('A'))).toEqual([
      true,
      true,
      true,
    ]);
    signal(orchestrator, 'SIGKILL');
  });
});
