import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { OrchError } from '../../lib/errors.ts';
import { type Supervision, supervise } from '../../lib/tools/supervise.ts';
import { treeStamp } from '../../lib/tools/tree-stamp.ts';
import { isAlive, until } from '../rig/repository.ts';
import { endAgents, startedPrograms, watchPrograms } from './rig.ts';

/** The bounds of a tool that fall into moments when nobody seems to look. */

const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

afterEach(endAgents);

const watch = (stop: AbortSignal, more: Partial<Supervision> = {}): Supervision =>
  watchPrograms({ timeoutMs: 30_000, stallMs: 30_000, stop, ...more });

const run = (supervision: Supervision, command: string, cwd = '/') =>
  supervise('/bin/sh', ['-c', command], { cwd, env: { PATH: process.env['PATH'] ?? '' } }, supervision);

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
  expect(startedPrograms().filter(isAlive)).toEqual([]);
});

test.each([
  ['dies of the signal', 'echo begun; kill -TERM $$; sleep 20', 100],
  ['takes it for a good end', `trap 'exit 0' TERM; kill -TERM $$; sleep 20`, 0],
])(
  'a signal that ends the tool first and reaches the worker next is no end of the tool: it %s',
  async (_, command, lateMs) => {
    const stop = new AbortController();
    let ends = 0;
    const plain = watch(stop.signal);
    const supervision = {
      ...plain,
      // Looked for before the start, and again once it has ended.
      kin: async () => {
        ends += 1;
        if (ends === 2) setTimeout(() => stop.abort('asked to end'), lateMs);
        return plain.kin();
      },
    };
    expect(await run(supervision, command)).toMatchObject({ how: 'killed', exitCode: null });
  },
);

test('a signal that was meant for the tool alone is its end', async () => {
  const ended = await run(watch(new AbortController().signal), 'kill -TERM $$; sleep 20');
  expect(ended).toMatchObject({ how: 'exit', signal: 'SIGTERM' });
});

test('what it reads is a file, which ends; without one there is nothing to read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'orch-stdin-'));
  const file = join(folder, 'prompt');
  const text = `${'a line\n'.repeat(30_000)}the end`;
  writeFileSync(file, text);
  const read = async (place: { stdinFile?: string }): Promise<string> => {
    const env = { PATH: process.env['PATH'] ?? '', OUT: join(folder, 'out') };
    const command = 'exec cat > "$OUT"';
    const ended = await supervise(
      '/bin/sh',
      ['-c', command],
      { cwd: '/', env, ...place },
      watch(new AbortController().signal),
    );
    expect(ended).toMatchObject({ how: 'exit', exitCode: 0 });
    return readFileSync(env.OUT, 'utf8');
  };
  try {
    expect(await read({ stdinFile: file })).toBe(text);
    expect(await read({})).toBe('');
    symlinkSync(file, join(folder, 'link'));
    await expect(read({ stdinFile: join(folder, 'link') })).rejects.toThrow('ELOOP');
    const open = readdirSync('/proc/self/fd').flatMap((fd) => linkOf(`/proc/self/fd/${fd}`));
    expect(open).not.toContain(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The descriptor of the listing itself is gone by now. */
function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

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
  await until(() => !startedPrograms().some(isAlive), { what: 'the tool to end' });
});

const program = (name: string): string => join(import.meta.dirname, '../fixtures/programs', name);

async function workplace(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orch-stall-'));
  folders.push(folder);
  await mkdir(join(folder, 'deep'));
  return folder;
}

test('an event loop that only turns is a stall', async () => {
  const supervision = watch(new AbortController().signal, { stallMs: 3_000 });
  const ended = await run(
    supervision,
    `exec ${process.execPath} ${program('waits-for-ever.mjs')}`,
    await workplace(),
  );
  expect(ended).toMatchObject({ how: 'stalled', exitCode: null });
});

test('whoever computes or changes files is at work, though it prints nothing', async () => {
  const folder = await workplace();
  const here = run(
    watch(new AbortController().signal, { stallMs: 2_000 }),
    `sh ${program('writes-quietly.sh')} ${folder} 60`,
    folder,
  );
  const burner = run(
    watch(new AbortController().signal, { stallMs: 2_000 }),
    `exec ${process.execPath} -e 'const end = Date.now() + 6000; while (Date.now() < end);'`,
    await workplace(),
  );
  expect(await here).toMatchObject({ how: 'exit', exitCode: 0 });
  expect(await burner).toMatchObject({ how: 'exit', exitCode: 0 });
});

test('whoever changes files is at work, though nobody could look for a while', async () => {
  const folder = await workplace();
  const ended = run(
    watch(new AbortController().signal, { stallMs: 2_000 }),
    `sh ${program('writes-quietly.sh')} ${folder} 60`,
    folder,
  );
  await until(() => existsSync(join(folder, 'deep/file.txt')), { what: 'the first file' });
  // This process stands still, as one that is starved or stopped.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
  expect(await ended).toMatchObject({ how: 'exit', exitCode: 0 });
});

test('files elsewhere are no sign of work', async () => {
  const supervision = watch(new AbortController().signal, { stallMs: 2_000 });
  const command = `exec sh ${program('writes-quietly.sh')} ${await workplace()} 300`;
  expect(await run(supervision, command, await workplace())).toMatchObject({ how: 'stalled' });
});

test('a stamp tells of a change anywhere below, and of none where there was none', async () => {
  const folder = await workplace();
  await writeFile(join(folder, 'deep/a.txt'), 'a');
  await symlink('/', join(folder, 'root'));
  const first = await treeStamp(folder);
  expect(await treeStamp(folder)).toBe(first);
  await mkdir(join(folder, '.git'));
  await writeFile(join(folder, '.git/index'), 'x');
  expect(await treeStamp(folder)).toBe(first);
  await writeFile(join(folder, 'deep/a.txt'), 'b');
  const second = await treeStamp(folder);
  expect(second).not.toBe(first);
  await rm(join(folder, 'deep/a.txt'));
  expect(await treeStamp(folder)).not.toBe(second);
  expect(await treeStamp(join(folder, 'nowhere'))).toBe('0 0 0');
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
