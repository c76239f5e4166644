import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { release } from '../rig/ledger.ts';
import { isAlive, ORCH, type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';
import { makeSshHost, type SshHost, sshMissing } from '../rig/ssh.ts';

const missing = sshMissing();
if (missing !== null) process.stderr.write(`SKIPPED: SSH sessions: ${missing}\n`);

const PLAN = {
  workstreams: [
    {
      id: 'WS-1',
      // It goes on once `release(rig, 'go')` was called.
      tasks: [
        { run: 'echo 1 > a' },
        { run: 'until test -e "$ORCH_ROOT.aside/go"; do sleep 0.1; done; echo 2 >> a' },
      ],
      acceptance_tests: [{ run: 'grep -q 2 a' }],
    },
    { id: 'WS-2', tasks: [{ run: 'echo b > b' }] },
    { id: 'WS-3', depends_on: ['WS-1', 'WS-2'], tasks: [{ run: 'cat a b > c' }] },
  ],
};

const orchIn = (rig: Rig, ...args: string[]): string =>
  `cd ${rig.root} && env -u ORCH_ROOT ${process.execPath} ${ORCH} ${args.join(' ')}`;

describe.skipIf(missing !== null)('an SSH session', () => {
  let host: SshHost;
  beforeAll(async () => {
    host = await makeSshHost();
  });
  afterAll(async () => {
    await host.end();
  });

  it('whose client is killed leaves the work going on; a new one comes back to it', async () => {
    const rig = rigOf(PLAN);
    const { client } = host.session(`${orchIn(rig, 'launch')}; sleep 600`);
    await until(() => rig.status('WS-1') === 'running', { what: 'WS-1 to run' });
    const worker = rig.record('WS-1')['pid'];
    client.kill('SIGKILL');
    const back = host.session(orchIn(rig, 'reattach'));
    release(rig, 'go');
    const code = await new Promise((resolve) => back.client.once('exit', resolve));
    expect({ code, output: back.output() }).toMatchObject({ code: 0 });
    expect(rig.record('WS-1')).toMatchObject({ status: 'completed', attempt: 1, pid: worker });
    expect(rig.status('WS-3')).toBe('completed');
  });

  it('whose network is pulled while it watches loses nothing', async () => {
    const rig = rigOf(PLAN);
    const watching = host.session(
      `${orchIn(rig, 'launch')} && exec ${process.execPath} ${ORCH} reattach --root ${rig.root}`,
    );
    await until(() => rig.status('WS-1') === 'running', { what: 'WS-1 to run' });
    await until(() => sessionOf(rig) !== null, { what: 'the session to watch' });
    const watcher = sessionOf(rig);
    host.pullNetwork();
    onTestFinished(() => host.plugNetwork());
    // sshd finds the connection dead and hangs up on its session.
    await until(() => watcher === null || !isAlive(watcher), { what: 'sshd to end the session' });
    expect(rig.status('WS-1')).toBe('running');
    host.plugNetwork();
    watching.client.kill('SIGKILL');
    const back = host.session(orchIn(rig, 'wait', '--timeout', '60s'));
    release(rig, 'go');
    const code = await new Promise((resolve) => back.client.once('exit', resolve));
    expect({ code, output: back.output() }).toMatchObject({ code: 0 });
    expect(rig.record('WS-1')).toMatchObject({ status: 'completed', attempt: 1 });
  });

  it('in which an attached run ran stops its workers when it drops, and the next run goes on', async () => {
    const rig = rigOf(PLAN);
    const { client } = host.session(orchIn(rig, 'run'));
    await until(() => rig.status('WS-1') === 'running' && String(rig.record('WS-1')['progress']) === '1/2', {
      what: 'the second task of WS-1',
    });
    const worker = Number(rig.record('WS-1')['pid']);
    client.kill('SIGKILL');
    await until(() => !isAlive(worker), { what: 'the worker to stop with its orchestrator' });
    expect(rig.record('WS-1')).toMatchObject({ status: 'stopped', reason: { code: 'stopped' } });
    await until(() => rig.processes().length === 0, { what: 'all to end' });
    release(rig, 'go');
    const { code } = await rig.orch(['run']);
    expect(code).toBe(0);
    expect(rig.record('WS-1')).toMatchObject({ status: 'completed', attempt: 2 });
  });
});

describe('tmux', () => {
  it('whose server is killed leaves the work going on', async () => {
    const rig = rigOf(PLAN);
    const tmux = (...args: string[]): string =>
      execFileSync('tmux', ['-L', `orch-${process.pid}`, ...args], { encoding: 'utf8' });
    tmux('new-session', '-d', '-x', '80', '-y', '24', `${orchIn(rig, 'launch')}; sleep 600`);
    await until(() => rig.status('WS-1') === 'running', { what: 'WS-1 to run' });
    const server = Number(tmux('display-message', '-p', '#{pid}'));
    process.kill(server, 'SIGKILL');
    await until(() => !isAlive(server), { what: 'the tmux server to die' });
    release(rig, 'go');
    const { code } = await rig.orch(['reattach']);
    expect(code).toBe(0);
    expect(rig.record('WS-1')).toMatchObject({ status: 'completed', attempt: 1 });
  });
});

/** The pid of the `reattach` that watches this repository. */
function sessionOf(rig: Rig): number | null {
  const text = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' });
  const own = `${process.execPath} ${ORCH} reattach --root ${rig.root}`;
  const line = text.split('\n').find((one) => one.trim().replace(/^\d+ /, '') === own);
  return line === undefined ? null : Number.parseInt(line, 10);
}
