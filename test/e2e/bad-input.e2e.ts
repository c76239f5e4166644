import { describe, it } from 'vitest';
import { commandLine } from '../bad-input/command-line.ts';
import { config } from '../bad-input/config.ts';
import { disks, mayMount, strangers } from '../bad-input/disk.ts';
import { expectPage } from '../bad-input/page.ts';
import { busy, folders, oddPlaces, places, taken } from '../bad-input/places.ts';
import { ids, plans } from '../bad-input/plans.ts';
import { ownFiles, records } from '../bad-input/records.ts';
import { manyRecords, manyWorkstreams } from '../bad-input/scale.ts';
import type { Row, Section } from '../bad-input/table.ts';
import type { Rig } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

/** Every row of docs/bad-inputs.md: real processes, and at the end the page itself. */

const DONE = [
  { id: 'A', tasks: [{ run: 'echo done > done.txt' }], acceptance_tests: [{ run: 'test -s done.txt' }] },
];
const HELD = JSON.stringify([
  {
    id: 'A',
    tasks: [{ run: 'until test -e "$ORCH_ROOT.aside/go"; do sleep 0.05; done; echo done > done.txt' }],
    acceptance_tests: [{ run: 'test -s done.txt' }],
  },
]);

const canMount = mayMount();
if (!canMount)
  process.stderr.write('SKIPPED: disks and strangers of bad-input.e2e.ts need to mount and chown\n');

type Group = {
  title: string;
  text: string;
  plan?: unknown;
  files?: Record<string, string>;
  needsRoot?: boolean;
  work: (rig: Rig) => Promise<Row[]>;
};

const GROUPS: Group[] = [
  {
    title: 'The command line',
    text: 'In a repository with a plan of one workstream, `A`.',
    plan: DONE,
    work: commandLine,
  },
  { title: 'Places', text: '', plan: DONE, work: places },
  { title: 'Odd places', text: '', plan: DONE, work: oddPlaces },
  { title: 'Plans', text: 'Each file has one fault. The place is `file:line:column`.', work: plans },
  { title: 'Ids', text: 'In a plan, `launch` of which is refused.', work: ids },
  { title: 'The config', text: '', plan: DONE, work: config },
  { title: 'State folders', text: '', plan: DONE, work: folders },
  { title: 'Names that are taken', text: '', plan: DONE, work: taken },
  { title: 'Work that is under way or done', text: '', files: { 'busy.json': HELD }, work: busy },
  {
    title: 'Records',
    text: 'All of them in one folder: each is shown as `unknown` with its place, and no other is hidden.',
    work: records,
  },
  { title: 'Files of orch’s own', text: '', plan: DONE, work: ownFiles },
  { title: 'Disks', text: '`.status` is a disk of its own.', plan: DONE, needsRoot: true, work: disks },
  { title: 'Other users', text: '', plan: DONE, needsRoot: true, work: strangers },
  { title: 'Many workstreams', text: '', work: manyWorkstreams },
  { title: 'Many records', text: '', work: manyRecords },
];

const found = new Map<string, Section>();

describe.concurrent('bad inputs', () => {
  // The longest, at the end of the page, begin first.
  for (const { title, text, plan, files, needsRoot, work } of [...GROUPS].reverse()) {
    if (needsRoot === true && !canMount) found.set(title, { title, text, rows: 'skipped' });
    it.skipIf(needsRoot === true && !canMount)(
      `are refused: ${title}`,
      { timeout: 480_000 },
      async (context) => {
        const rows = await work(rigFor(context, plan, { 'README.md': 'hello\n', ...files }));
        found.set(title, { title, text, rows });
      },
    );
  }
});

describe('docs/bad-inputs.md', () => {
  it('says what was found (UPDATE_DOCS=1 writes it)', () => {
    expectPage(GROUPS.map(({ title, text }) => found.get(title) ?? { title, text, rows: 'skipped' }));
  });
});
