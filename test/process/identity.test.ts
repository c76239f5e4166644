import { execFile, spawnSync } from 'node:child_process';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findByPidFile, identify, judge } from '../../lib/process/identity.ts';
import { createToken, probe } from '../../lib/process/system.ts';
import type { Identity } from '../../lib/protocol/status.ts';
import { bundle, endAll, eventually, kill, makeFolder, pidIn, program, start } from './rig.ts';

const onLinux = process.platform === 'linux';
const backends = onLinux ? (['linux', 'portable'] as const) : (['portable'] as const);

afterEach(endAll);

type Subject = { pid: number; identity: Identity };

/** A process with the token among its arguments, as a worker has. */
async function startSubject(token: string): Promise<Subject> {
  const child = await start(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', token], {
    detached: true,
  });
  const identity = await identify(child.pid, token);
  if (identity === null) throw new Error('it ended at once');
  return { pid: child.pid, identity };
}

describe.each(backends)('judge on the %s backend', (kind) => {
  beforeEach(() => {
    if (kind === 'portable') process.env['ORCH_PROCESS_BACKEND'] = 'portable';
  });

  it('knows the living', async () => {
    const { pid, identity } = await startSubject(createToken());
    expect(identity.session).toBe(pid);
    expect(await judge(pid, identity)).toBe('same');
  });

  it('goes by the start alone where there is no token, as for holders of locks', async () => {
    const { pid, identity } = await startSubject('');
    expect(await judge(pid, identity)).toBe('same');
    expect(await judge(pid, { ...identity, start_time: identity.start_time - 1_000 })).toBe('dead');
  });

  it('knows the dead', async () => {
    const { pid, identity } = await startSubject(createToken());
    await kill(pid);
    expect(await judge(pid, identity)).toBe('dead');
    expect(await identify(pid, identity.token)).toBeNull();
  });

  it('judges nobody elsewhere', async () => {
    const { pid, identity } = await startSubject(createToken());
    for (const other of [{ host: 'elsewhere' }, { pid_namespace: 'pid:[1]' }]) {
      expect(await judge(pid, { ...identity, ...other })).toBe('unknown');
    }
  });

  it('does not judge a record of the other backend, whose times are in other units', async () => {
    const { pid, identity } = await startSubject(createToken());
    if (kind === 'portable') delete process.env['ORCH_PROCESS_BACKEND'];
    else process.env['ORCH_PROCESS_BACKEND'] = 'portable';
    if (onLinux) expect(await judge(pid, identity)).toBe('unknown');
  });

  it('tells a recycled number by its start', async () => {
    const { pid, identity } = await startSubject(createToken());
    const stranger = { ...identity, token: createToken() };
    expect(await judge(pid, { ...stranger, start_time: identity.start_time - 1_000 })).toBe('dead');
  });
});

describe.runIf(onLinux)('judge on Linux', () => {
  it('takes another boot of this host for dead', async () => {
    const { pid, identity } = await startSubject(createToken());
    expect(await judge(pid, { ...identity, boot_id: 'earlier' })).toBe('dead');
    expect(await judge(pid, { ...identity, boot_id: 'earlier', host: 'elsewhere' })).toBe('unknown');
  });

  it('takes a zombie for dead', async () => {
    const file = join(makeFolder(), 'pid');
    await start('sh', [program('leaves-zombie.sh'), file]);
    const pid = await pidIn(file);
    const { identity } = await startSubject(createToken());
    await eventually('a zombie', async () => (await probe(pid)) === 'gone');
    expect(await judge(pid, identity)).toBe('dead');
  });

  it('finds the token in the environment or among the arguments; without it, the process is a stranger', async () => {
    const token = createToken();
    const begun = performance.now();
    const child = await start('sleep', ['60'], { env: { PATH: process.env['PATH'], ORCH_TOKEN: token } });
    const identity = await identify(child.pid, token);
    if (identity === null) throw new Error('it ended at once');
    const stranger = { ...identity, token: createToken() };
    // Just started, it might still be between fork and exec, and show what its parent was given.
    const verdict = await judge(child.pid, stranger);
    // On a busy machine the two seconds may be over by now.
    if (performance.now() - begun < 1_900) expect(verdict).toBe('same');
    await eventually('the verdict dead', async () => (await judge(child.pid, stranger)) === 'dead');
    expect(await judge(child.pid, identity)).toBe('same');
  });

  it('waits for the last thread of one that is ending, and shows nothing of itself any more', async () => {
    const file = join(makeFolder(), 'pid');
    const token = createToken();
    const child = await start('python3', [program('loses-first-thread.py'), file, '2.5', token]);
    const identity = await identify(child.pid, token);
    if (identity === null) throw new Error('it ended at once');
    const verdict = await eventually('a verdict', async () => {
      const seen = await judge(child.pid, identity);
      return seen !== 'same' && seen;
    });
    expect(verdict).toBe('dead');
  });

  it('never takes a process for dead that was spawned just now', async () => {
    const token = createToken();
    for (let round = 0; round < 30; round += 1) {
      const child = await start('sleep', ['60'], { env: { PATH: process.env['PATH'], ORCH_TOKEN: token } });
      const identity = await identify(child.pid, token);
      if (identity === null) throw new Error('not seen');
      expect(await judge(child.pid, identity)).toBe('same');
    }
  });

  const forced = spawnSync('unshare', [
    '--pid',
    '--fork',
    '--mount-proc',
    'sh',
    '-c',
    'echo 500 > /proc/sys/kernel/ns_last_pid',
  ]);
  const why = forced.status === 0 ? '' : ` (skipped, PIDs cannot be forced here: ${forced.stderr})`;
  it.skipIf(forced.status !== 0)(
    `tells a forced reuse of its PID by start, and by token in one tick${why}`,
    async () => {
      const { identity } = await bundle(makeFolder(), 'identity');
      const args = [
        '--pid',
        '--fork',
        '--mount-proc',
        '--kill-child',
        process.execPath,
        program('reuses-pid.mjs'),
        identity ?? '',
      ];
      const { stdout } = await promisify(execFile)('unshare', args);
      const result = JSON.parse(stdout) as {
        reused: boolean;
        before: string;
        byStart: string;
        verdicts: string[];
      };
      expect(result.reused).toBe(true);
      expect(result.before).toBe('same');
      expect(result.verdicts.at(-1)).toBe('dead');
      // In the very same tick the start says nothing, and the token has two seconds.
      expect(['dead', 'same']).toContain(result.byStart);
    },
  );
});

describe('findByPidFile', () => {
  it('goes by the time of the file alone', async () => {
    const file = join(makeFolder(), 'pid');
    const child = await start('sleep', ['60']);
    writeFileSync(file, `${child.pid}\n`);
    expect(await findByPidFile(child.pid, statSync(file).mtimeMs / 1_000)).toMatchObject({ pid: child.pid });
    const before = Date.now() / 1_000 - 10;
    utimesSync(file, before, before);
    expect(await findByPidFile(child.pid, statSync(file).mtimeMs / 1_000)).toBe('younger');
    await kill(child.pid);
    expect(await findByPidFile(child.pid, Date.now() / 1_000)).toBe('gone');
  });
});
