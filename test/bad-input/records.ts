import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { json, statusOf } from '../rig/ledger.ts';
import { type Rig, until } from '../rig/repository.ts';
import { normalise, type Row, refuseAll, untouched, works } from './table.ts';

/** Records that are damaged or hostile: each is shown with its place, and hides none of the others. */

const CONTENT: [what: string, id: string, content: string | Buffer][] = [
  ['garbage', 'garbage', '{\n  "status": garbage\n}'],
  ['nothing', 'empty', ''],
  ['half a record', 'half', '{"status": "running", "progr'],
  ['binary', 'binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3, 0xfe, 0xff])],
  ['not UTF-8', 'latin-1', Buffer.from('{"status": "running", "note": "caf\u00e9"}', 'latin1')],
  ['a byte order mark', 'mark', '\ufeff{"status": "running"}'],
  ['null', 'null', 'null'],
  ['a list', 'list', '[1, 2]'],
  ['a text', 'text', '"running"'],
  ['no status', 'no-status', '{"progress": "1/4"}'],
  ['a status that is a number', 'number', '{\n  "status": 7\n}'],
  ['nested without end', 'deep', `{"status": "running", "x": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  ['more than 1 MiB', 'huge', `{"status": "running", "x": "${'x'.repeat(2 * 1024 * 1024)}"}`],
  ['of a later orch', 'later', '{"schema": "orch.status/2", "status": "running"}'],
  ['of orch, with a field gone', 'gone', '{"schema": "orch.status/1", "status": "running"}'],
  ['a word that orch does not know', 'word', '{"status": "thinking\\u001b[31m"}'],
  ['no PID file', 'no-pid', '{"status": "running"}'],
  [
    'fields of any type',
    'types',
    '{"status": "running", "progress": 5, "current_task": ["x"], "last_update": "now"}',
  ],
  [
    'keys that are not only keys',
    'keys',
    '{"status": "running", "__proto__": {"alive": true}, "constructor": 1, "verdict": "completed", "alive": true}',
  ],
];

/** A repository with all of them, and one record that is sound. */
export async function records(rig: Rig): Promise<Row[]> {
  const place = (id: string): string => join(rig.root, `.status/${id}.json`);
  for (const folder of ['.status', '.pids']) mkdirSync(join(rig.root, folder));
  for (const [, id, content] of CONTENT) writeFileSync(place(id), content);
  execFileSync('mkfifo', [place('pipe')]);
  mkdirSync(place('folder'));
  symlinkSync('/etc/passwd', place('link'));
  // No ids: what is there under these names is not orch's.
  for (const name of ['__proto__', '-x', 'a..b', 'x.lock'])
    writeFileSync(place(name), '{"status": "completed"}');
  writeFileSync(place('sound'), '{"status": "completed", "progress": "4/4"}');
  const odd: [string, string][] = [
    ['a pipe', 'pipe'],
    ['a folder', 'folder'],
    ['a symbolic link', 'link'],
  ];
  const all = [...CONTENT.map(([what, id]): [string, string] => [what, id]), ...odd];
  return untouched(rig, async () => {
    const shown = await statusOf(rig);
    const byId = new Map(shown.workstreams.map((status) => [status.workstream, status]));
    expect([...byId.keys()].sort()).toEqual([...all.map(([, id]) => id), 'sound'].sort());
    expect(byId.get('sound')).toMatchObject({ verdict: 'completed' });
    const rows = all.map(([what, id]): Row => {
      const status = byId.get(id);
      expect(status).toMatchObject({ verdict: 'unknown', reason: { message: expect.stringMatching(/\S/) } });
      if (status === undefined) throw new Error(`no ${id}`);
      const { code = '', message = '', hint = '' } = (status.reason ?? {}) as Record<string, string>;
      return { what, command: 'orch status', exit: 0, code, says: normalise(rig, `${message}\n${hint}`) };
    });
    return [...rows, ...(await actions(rig))];
  });
}

/** What the commands make of them: nothing is changed, and nothing waits for ever. */
async function actions(rig: Rig): Promise<Row[]> {
  const stopped = await rig.orch(['stop', 'garbage']);
  expect([stopped.code, stopped.stderr]).toEqual([4, expect.stringContaining('garbage.json:2:13')]);
  const reaped = await rig.orch(['reap', '--json']);
  expect(json<{ actions: unknown[] }>(reaped).actions).toEqual([]);
  const waited = await rig.orch(['wait', '--timeout', '20s', '--quiet']);
  expect([waited.code, waited.stderr]).toEqual([1, '']);
  const refused = await refuseAll(rig, [
    {
      what: 'to retry a record that cannot be read',
      args: ['retry', 'garbage'],
      exit: 3,
      code: 'NO_WORKSTREAM',
    },
    { what: 'to retry a foreign worker', args: ['retry', 'sound'], exit: 2, code: 'FOREIGN_WORKER' },
    { what: 'an id that is nearly there', args: ['status', 'soundd'], exit: 3, code: 'NO_WORKSTREAM' },
    { what: 'an id that nobody knows', args: ['logs', '../../etc/passwd'], exit: 3, code: 'NO_WORKSTREAM' },
    { what: 'an id that nobody knows', args: ['stop', 'sound', 'other'], exit: 3, code: 'NO_WORKSTREAM' },
    { what: 'an id that nobody knows', args: ['wait', 'other'], exit: 3, code: 'NO_WORKSTREAM' },
  ]);
  const row = (command: string, exit: number, says: string): Row => {
    return { what: 'all of these at once', command, exit, code: '', says };
  };
  return [
    ...refused,
    row('orch reap', 0, 'It finds nothing to clean up: what cannot be judged is left alone.'),
    row('orch wait', 1, 'It does not wait for what nobody can judge.'),
  ];
}

/** As a write that was cut within a character leaves it. */
const CUT = Buffer.from('{"title": "\u00e4').subarray(0, -1);

const PLANS: [what: string, text: string | Buffer][] = [
  ['garbage', 'garbage'],
  ['cut within a character', CUT],
  ['of no workstreams', '{"schema": "orch.plan-frozen/1"}'],
  [
    'with an id that leads out',
    JSON.stringify({
      schema: 'orch.plan-frozen/1',
      run: 'r',
      base: 'b',
      options: {},
      workstreams: [{ id: '../x' }],
    }),
  ],
];

/** Damaged files of orch's own beside sound records: those are shown, and the damage is told. */
export async function ownFiles(rig: Rig): Promise<Row[]> {
  const rows: Row[] = [];
  mkdirSync(join(rig.root, '.status'));
  rig.write('.status/sound.json', '{"status": "completed"}');
  for (const [what, text] of PLANS) {
    writeFileSync(join(rig.root, '.status/_plan.json'), text);
    const finished = await rig.orch(['status', '--json']);
    const { faults, summary } = json<{
      faults: { code: string; message: string; hint: string }[];
      summary: object;
    }>(finished);
    expect([finished.code, summary, faults.length]).toEqual([0, { total: 1, completed: 1 }, 1]);
    const [fault] = faults;
    const says = normalise(rig, `${fault?.message}\n${fault?.hint}`);
    rows.push({
      what: `a frozen plan ${what}`,
      command: 'orch status',
      exit: 0,
      code: fault?.code ?? '',
      says,
    });
  }
  rig.write('.pids/sound.pid', 'not a number\n');
  for (const [how, plan, orchestrator] of [
    ['torn', 'garbage', '{"pid": "x"}'],
    ['cut within a character', CUT, CUT],
  ] as const) {
    writeFileSync(join(rig.root, '.status/_plan.json'), plan);
    writeFileSync(join(rig.root, '.status/_orchestrator.json'), orchestrator);
    const what = `the plan and the file of the orchestrator, ${how}`;
    rows.push(
      await works(rig, { what, args: ['reap'] }, 'It cleans up as ever.'),
      await works(rig, { what, args: ['reattach', '--once'] }, 'What died is settled; nothing is launched.'),
      await works(rig, { what, args: ['launch'] }, 'The plan is frozen anew.'),
    );
    expect(await rig.orch(['wait', 'A'])).toMatchObject({ code: 0 });
    await until(() => rig.processes().length === 0, { what: 'the orchestrator to resign' });
  }
  return rows;
}
