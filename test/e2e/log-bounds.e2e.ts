import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { completed, putRecord } from '../cli/rig.ts';
import { type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

// A line is some processes, and it takes hundreds of lines.
vi.setConfig({ testTimeout: 180_000 });

const config = (logs: unknown): Record<string, string> => ({
  'README.md': 'hello\n',
  'orch.config.json': JSON.stringify({ heartbeat_interval: '500ms', logs }),
});
const logs = (rig: Rig): string[] => readdirSync(join(rig.root, '.logs')).sort();
const sizeOf = (rig: Rig, name: string): number => statSync(join(rig.root, '.logs', name)).size;

/** Prints lines until it is told to end, or its log was rotated so often that the third part has begun. */
const print = (until_: string): string =>
  `for i in $(seq 20000); do echo "line $i $(head -c 400 /dev/zero | tr '\\0' x)"; ${until_} && break; sleep 0.002; done`;

it('a worker rotates its own log, and every line that is kept can be read in order', async () => {
  const twice = `ls "$ORCH_ROOT/.logs" | grep -q '^A.log.[1-9]'`;
  const rig = rigOf(
    [{ id: 'A', tasks: [{ run: print(twice) }, { run: 'echo the end' }] }],
    config({ max_size: '64KB', keep: 3 }),
  );
  await rig.orch(['run', '--quiet']);
  expect(rig.status('A')).toBe('completed');
  const parts = logs(rig).filter((name) => /^A\.log\.\d+-\d+$/.test(name));
  expect(parts.length).toBeGreaterThanOrEqual(2);
  for (const name of parts) expect(sizeOf(rig, name)).toBeGreaterThan(0);
  const { stdout, stderr } = await rig.orch(['logs', 'A']);
  expect(stderr).toBe('');
  const numbers = [...stdout.matchAll(/^line (\d+) x/gm)].map(([, number]) => Number(number));
  // The shell and its children print one line in two writes: the second may fall to a cut.
  expect(new Set(numbers).size).toBe(numbers.length);
  expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
  expect(stdout).toContain('the end');
  // The offsets of the second task are those of what it printed.
  const [, second] = rig.record('A')['tool_runs'] as { log: [number, number] }[];
  const all = await rig.orch(['logs', 'A', '--raw']);
  expect(
    Buffer.from(all.stdout)
      .subarray(...(second?.log ?? [0, 0]))
      .toString(),
  ).toContain('the end');
});

it('an orchestrator rotates for a worker that is dead or stands still, and keeps the whole within its bound', async () => {
  const rig = rigOf(
    [{ id: 'A', tasks: [{ run: `while [ ! -e "$ORCH_ROOT.aside/go" ]; do sleep 0.1; done` }] }],
    config({ max_size: '64KB', keep: 1, max_total: '128KB' }),
  );
  await rig.orch(['launch']);
  await until(() => rig.status('A') === 'running', { what: 'A to run' });
  // Of an earlier run, and of a program of somebody else.
  await putRecord(rig.root, 'old', completed);
  rig.write('.status/theirs.json', '{"status": "completed"}');
  for (const name of ['theirs.log', 'theirs.log.0-90000', 'old.log'])
    rig.write(`.logs/${name}`, 'x'.repeat(100_000));
  await until(() => logs(rig).some((name) => name.startsWith('old.log.')), {
    what: 'the log of old to be rotated',
  });
  rig.write('.logs/old.log.100000-250000', 'y'.repeat(150_000));
  await until(
    () =>
      logs(rig)
        .filter((name) => name.startsWith('old.log.'))
        .every((name) => sizeOf(rig, name) === 0),
    {
      what: 'parts to be given up',
    },
  );
  const given = rig.events().filter(({ event, workstream }) => event === 'remove' && workstream === 'old');
  expect(given.some(({ why }) => String(why).includes('max_total'))).toBe(true);
  expect((await rig.orch(['reap'])).code).toBe(0);
  expect(logs(rig).filter((name) => name.startsWith('theirs.'))).toEqual([
    'theirs.log',
    'theirs.log.0-90000',
  ]);
  for (const name of ['theirs.log', 'theirs.log.0-90000']) expect(sizeOf(rig, name)).toBe(100_000);
  writeFileSync(join(rig.aside, 'go'), '');
  await rig.orch(['wait']);
});

it('reap takes parts with the logs of old workstreams, and what a rotation left', async () => {
  const rig = rigOf(
    [
      { id: 'A', tasks: [{ run: 'echo hello' }] },
      { id: 'B', tasks: [{ run: 'echo hello' }] },
    ],
    config({}),
  );
  await rig.orch(['run', '--quiet']);
  rig.write('.logs/A.log.0-5', 'hello');
  rig.write('.logs/A.err.copying', 'half');
  rig.write('.logs/B.log.0-9', 'other');
  rig.write('.logs/B.err.0-7.new', 'earlier');
  const dry = JSON.parse((await rig.orch(['reap', '--dry-run', '--json'])).stdout) as {
    actions: { action: string; target: string }[];
  };
  const listed = dry.actions.map(({ action, target }) => [action, target]);
  expect(listed).toEqual([
    ['remove', join(rig.root, '.logs/A.err.copying')],
    ['settle', join(rig.root, '.logs/B.err.0-7.new')],
  ]);
  const done = JSON.parse((await rig.orch(['reap', '--json'])).stdout) as typeof dry;
  expect(done.actions).toEqual(dry.actions);
  // It was cut: what was copied is all that there is of it.
  expect(rig.read('.logs/B.err.0-7')).toBe('earlier');
  rig.write('orch.plan.json', JSON.stringify([{ id: 'B', tasks: [{ run: 'echo hello' }] }]));
  await rig.orch(['run', '--quiet', '--allow-dirty']);
  expect((await rig.orch(['reap', '--older-than', '1ms'])).code).toBe(0);
  expect(logs(rig).filter((name) => name.startsWith('A.'))).toEqual([]);
  expect(existsSync(join(rig.root, '.logs/B.log.0-9'))).toBe(true);
});
