import { afterEach, expect, test } from 'vitest';
import { OrchError } from '../../lib/errors.ts';
import { identify } from '../../lib/process/identity.ts';
import type { Kin } from '../../lib/process/kin.ts';
import { type Supervision, supervise } from '../../lib/tools/supervise.ts';
import { isAlive, signal, until } from '../rig/repository.ts';

/** The bounds of a tool that fall into moments when nobody seems to look. */

const started: number[] = [];

afterEach(() => {
  for (const pid of started.splice(0)) signal(pid, 'SIGKILL');
});

/** A supervision whose kin are the programs that it saw start. */
function watch(stop: AbortSignal, more: Partial<Supervision> = {}): Supervision {
  const kin: Kin[] = [];
  return {
    timeoutMs: 30_000,
    stallMs: 30_000,
    graceMs: 200,
    stop,
    kin: async () => kin,
    onStart: async (pid) => {
      started.push(pid);
      const identity = await identify(pid, '');
      const startTime = identity?.start_time ?? 0;
      const rest = {
        command: 'sleep',
        workstream: 'a',
        token: null,
        proof: 'session',
        ofLiveWorker: true,
      } as const;
      kin.push({ pid, startTime, ...rest });
    },
    onSignal: () => undefined,
    ...more,
  };
}

const run = (supervision: Supervision, command: string) =>
  supervise('/bin/sh', ['-c', command], { cwd: '/', env: { PATH: process.env['PATH'] ?? '' } }, supervision);

test('a stop that comes while the kin of before are looked for is not lost', async () => {
  const stop = new AbortController();
  const plain = watch(stop.signal);
  const supervision = {
    ...plain,
    kin: async () => {
      stop.abort('now');
      return plain.kin();
    },
  };
  const begun = performance.now();
  expect(await run(supervision, 'exec sleep 20')).toMatchObject({ how: 'killed', exitCode: null });
  expect(performance.now() - begun).toBeLessThan(15_000);
  expect(started.filter(isAlive)).toEqual([]);
});

test('where the kin cannot be seen any more, the tool does not outlive the error', async () => {
  const stop = new AbortController();
  const plain = watch(stop.signal, { stallMs: 2_000 });
  let looks = 0;
  const supervision = {
    ...plain,
    kin: async () => {
      looks += 1;
      // The second look is the first of those that watch for a stall.
      if (looks === 2) throw new OrchError('IO', 'cannot look');
      return plain.kin();
    },
  };
  await expect(run(supervision, 'exec sleep 20')).rejects.toThrow('cannot look');
  await until(() => !started.some(isAlive), { what: 'the tool to end', boundMs: 5_000 });
});

test.each([false, true])(
  'a command that is too long is no missing program (enclosed: %s)',
  async (isEnclosed) => {
    const enclose: Supervision['enclose'] = async (command) => [
      '/bin/sh',
      '-c',
      'exec "$@"',
      'sh',
      ...command,
    ];
    const supervision = watch(new AbortController().signal, isEnclosed ? { enclose } : {});
    // One word of more than 128 KiB is refused by Linux.
    const ended = await run(supervision, `: ${'x'.repeat(200_000)}`);
    expect(ended).toMatchObject({ how: 'exit', exitCode: 126, message: expect.stringContaining('E2BIG') });
  },
);
