import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harmlessLines } from '../../lib/cli/log-tail.ts';
import { cells } from '../../lib/cli/table.ts';
import { foldCells } from '../../lib/cli/view/details.ts';
import { bytesText, costText, countText, progressOf } from '../../lib/cli/view/figures.ts';
import { frameOf } from '../../lib/cli/view/frame.ts';
import { type Key, press, type Situation, withSelection } from '../../lib/cli/view/keys.ts';
import { windowTop } from '../../lib/cli/view/list.ts';
import { type Canvas, FIRST, type Glance, type Page, type ViewState } from '../../lib/cli/view/model.ts';
import { outlookOf } from '../../lib/cli/view/outlook.ts';
import { patch } from '../../lib/cli/view/paint.ts';
import { summaryLines } from '../../lib/cli/view/summary.ts';
import { barOf, showsUnicode } from '../../lib/cli/view/symbols.ts';
import type { StatusList } from '../../lib/orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../lib/orchestrate/verdict.ts';
import { plainRecord, text } from '../protocol/arbitraries.ts';

/** The view without a terminal: a look at the world, a state and a size give lines. */

const AT = 1_764_400_000;
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/;
const PAGES: readonly Page[] = ['list', 'details', 'logs', 'help'];
const PLAIN: Canvas = { columns: 79, rows: 24, color: false, unicode: true, attached: false };

function statusOf(workstream: string, more: Record<string, unknown> = {}): WorkstreamStatus {
  const record = plainRecord({ workstream, status: 'running', tool: 'aider', started_at: AT - 65, ...more });
  const judged = {
    planned: true,
    alive: true,
    verdict: 'running',
    final: false,
    heartbeat_age: 1,
    evidence: null,
  };
  const used = { cpu_percent: 12.3, memory_bytes: 45e6, current_task: 'a task' };
  return { ...judged, ...record, ...used, ...more } as unknown as WorkstreamStatus;
}

function glanceOf(workstreams: WorkstreamStatus[], more: Partial<Glance> = {}): Glance {
  const summary: StatusList['summary'] = { total: workstreams.length };
  for (const { verdict } of workstreams) summary[verdict] = (summary[verdict] ?? 0) + 1;
  const list: StatusList = {
    schema: 'orch.status-list/1',
    root: '/home/ada/shop',
    at: AT,
    orchestrator: { pid: 4711, alive: true, mode: 'detached' },
    summary,
    workstreams,
  };
  const outputAt = new Map(workstreams.map(({ workstream }) => [workstream, AT - 3]));
  return { list, outputAt, outlook: { seconds: 90, waiting: 0 }, details: null, ...more };
}

const many = (count: number): WorkstreamStatus[] =>
  Array.from({ length: count }, (_, at) =>
    statusOf(`WS-${String(at + 1).padStart(3, '0')}`, {
      progress: `${at % 5}/4`,
      current_task: at % 3 === 0 ? '日本語のタスクと絵文字 👩‍👩‍👧 です' : `task ${at}`,
    }),
  );

const widest = (lines: readonly string[]): number => Math.max(0, ...lines.map(cells));

describe('a frame', () => {
  const sizes = [39, 79, 199].flatMap((columns) => [5, 24, 60].map((rows) => [columns, rows] as const));

  it.each(sizes)('of %i columns and %i rows has no line too many and none too wide', (columns, rows) => {
    for (const count of [0, 1, 3, 200]) {
      const glance = glanceOf(many(count));
      const state = withSelection(
        FIRST,
        glance.list.workstreams.map(({ workstream }) => workstream),
      );
      for (const page of PAGES) {
        const { lines } = frameOf(glance, { ...state, page }, { ...PLAIN, columns, rows });
        expect(lines.length).toBe(rows - 1);
        expect(widest(lines)).toBeLessThanOrEqual(columns);
      }
    }
  });

  it('has a row for each workstream with sign, word, progress, times, and usage', () => {
    const spent = { usage: { tokens_in: 12_000, tokens_out: 400, cost_usd: 0.314 } };
    const glance = glanceOf([statusOf('A', { progress: '2/4', ...spent }), statusOf('B')]);
    const { lines } = frameOf(glance, { ...FIRST, selected: 'A' }, { ...PLAIN, columns: 159 });
    const row = lines.find((line) => line.startsWith('❯ A'));
    expect(row?.trim().split(/ {2,}/)).toEqual([
      '❯ A',
      '● running',
      '█████░░░░░ 2/4',
      '1m',
      '3s',
      '12%',
      '43M',
      '12k',
      '$0.31',
      'aider',
      'a task',
    ]);
    expect(lines.filter((line) => /^ {2}B /.test(line))).toHaveLength(1);
  });

  it('on 80 columns keeps id, state, progress, time, silence, usage and task; on 40 the first three', () => {
    const glance = glanceOf([statusOf('WS-1', { progress: '2/4' })]);
    const head = (columns: number): string[] => {
      const { lines } = frameOf(glance, FIRST, { ...PLAIN, columns });
      return (lines.find((line) => line.includes('WORKSTREAM')) ?? '').trim().split(/ +/);
    };
    const all = ['WORKSTREAM', 'STATE', 'PROGRESS', 'TIME', 'QUIET', 'CPU', 'MEM', 'NOW'];
    expect(head(79)).toEqual(expect.arrayContaining(all));
    expect(head(39)).toEqual(expect.arrayContaining(['WORKSTREAM', 'STATE', 'PROGRESS']));
  });

  it('cuts a long id before it cuts how many tasks are done', () => {
    const ids = ['ws-04-refactor-of-the-settings', 'ws-22-tasks-by-the-hundred', 'ws-99'];
    const progress = ['1/2', '9/120', 'strange'];
    const glance = glanceOf(ids.map((id, at) => statusOf(id, { progress: progress[at] ?? null })));
    for (const columns of [39, 79]) {
      const shown = frameOf(glance, FIRST, { ...PLAIN, columns }).lines.join('\n');
      expect(shown).toMatch(/ws-04.* 1\/2( |$)/m);
      expect(shown).toMatch(/ws-22.* 9\/120( |$)/m);
    }
  });

  it('shows the reason of what is not as it should be, and what is wrong with the whole', () => {
    const reason = { code: 'x', message: 'tests failed', hint: 'Look at the log.' };
    const glance = glanceOf([statusOf('A', { verdict: 'failed', alive: false, current_task: null, reason })]);
    glance.list.faults = [{ code: 'frozen', message: 'it is frozen', hint: null }];
    const shown = frameOf(glance, { ...FIRST, selected: 'A' }, PLAIN).lines.join('\n');
    for (const part of ['✖ failed', 'tests failed. Look at the log.', 'it is frozen']) {
      expect(shown).toContain(part);
    }
  });

  it('says what is asked, and that an attached run is stopping', () => {
    const glance = glanceOf([statusOf('A')]);
    const at = (more: Partial<ViewState>): string =>
      frameOf(glance, { ...FIRST, selected: 'A', ...more }, PLAIN).lines.join('\n');
    expect(at({ stopping: true })).toContain('stopping');
    expect(at({ question: { wish: 'stop', id: 'A' } })).toMatch(/ A .*y\/n/);
    expect(
      frameOf(glance, { ...FIRST, question: { wish: 'leave', id: null } }, { ...PLAIN, rows: 3 }).lines,
    ).toHaveLength(2);
  });

  it('keeps the selected row in sight wherever it is, and wastes no room', () => {
    const glance = glanceOf(many(200));
    for (const at of [0, 1, 99, 198, 199]) {
      const selected = glance.list.workstreams[at]?.workstream ?? '';
      const { lines } = frameOf(glance, { ...FIRST, selected, top: 50 }, PLAIN);
      expect(lines.some((line) => line.startsWith(`❯ ${selected}`))).toBe(true);
    }
    fc.assert(
      fc.property(fc.nat(300), fc.nat(199), fc.integer({ min: 1, max: 60 }), (top, at, room) => {
        const first = windowTop(top, at, room, 200);
        expect(first).toBeGreaterThanOrEqual(0);
        expect(first).toBeLessThanOrEqual(at);
        expect(first + room).toBeGreaterThan(at);
        expect(first + room).toBeLessThanOrEqual(Math.max(200, room));
      }),
    );
  });

  it('has the same text with colours and without, and needs no Unicode', () => {
    const glance = glanceOf(many(3).map((one) => ({ ...one, current_task: 'x'.repeat(200) })));
    for (const page of PAGES) {
      const state = { ...FIRST, selected: 'WS-001', page };
      const coloured = frameOf(glance, state, { ...PLAIN, color: true }).lines;
      expect(coloured.map((line) => line.replaceAll(/\u001b\[[\d;]*m/g, ''))).toEqual(
        frameOf(glance, state, PLAIN).lines,
      );
      // A line that is cut by a kill leaves the colour of what follows alone as soon as the next one is whole.
      for (const line of coloured.filter((one) => one.includes('\u001b')))
        expect(line).toMatch(/\u001b\[\d+m[^\u001b]*$/);
      const ascii = frameOf(glance, state, { ...PLAIN, unicode: false }).lines;
      expect(ascii.join('\n')).toMatch(/^[\n -~]*$/);
    }
  });

  it('lets no control character of a record, a plan or a commit pass, and fits whatever they say', () => {
    const hostile = fc.tuple(text, text, fc.integer({ min: 1, max: 120 }), fc.constantFrom(...PAGES));
    fc.assert(
      fc.property(hostile, ([one, other, columns, page]) => {
        const reason = { code: one, message: other, hint: one };
        const texts = {
          title: one,
          current_task: other,
          tool: one,
          progress: other,
          branch: one,
          status: other,
        };
        const lists = {
          depends_on: [one],
          blocked_by: other,
          checks: [{ text: one, passed: null }],
          violations: 7,
        };
        const status = statusOf('A', {
          ...texts,
          ...lists,
          reason,
          evidence: one,
          usage: other,
          started_at: one,
        });
        const commits = [{ hash: 'abc', at: AT, subject: one }];
        const details = {
          id: 'A',
          stream: 'stdout',
          log: harmlessLines(other),
          commits,
          trouble: null,
        } as const;
        const glance = glanceOf([status], { details });
        const { lines } = frameOf(glance, { ...FIRST, selected: 'A', page }, { ...PLAIN, columns });
        expect(lines.join('')).not.toMatch(CONTROL);
        expect(widest(lines)).toBeLessThanOrEqual(columns);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what is written to the terminal', () => {
  it('is nothing where nothing changed, and only the lines that did', () => {
    const before = ['a', 'b', 'c'];
    expect(patch(before, [...before])).toBe('');
    const changed = patch(before, ['a', 'B', 'c']);
    expect(changed).toContain('B');
    expect(changed).not.toMatch(/[abc](?!\[)/);
    expect(patch(null, before)).toContain('a');
  });

  it('neither hides the cursor nor leaves the usual screen, and ends below the frame', () => {
    for (const bytes of [patch(null, ['a', 'b']), patch(['a', 'b', 'c'], ['x', 'y'])]) {
      expect(bytes).not.toMatch(/\u001b\[\?/);
      expect(bytes).toMatch(/\u001b\[3;1H(\u001b\[J)?$/);
    }
  });

  it('is less than 600 bytes for a second in which three of twenty are at work, on 80 columns', () => {
    const idle = many(17).map((one) => ({
      ...one,
      verdict: 'pending' as const,
      alive: null,
      started_at: null,
    }));
    const atWork = (seconds: number): WorkstreamStatus[] =>
      ['x', 'y', 'z'].map((id) => statusOf(id, { started_at: AT - seconds, cpu_percent: seconds }));
    const frameAt = (seconds: number): string[] =>
      frameOf(glanceOf([...atWork(seconds), ...idle]), { ...FIRST, selected: 'x' }, { ...PLAIN, color: true })
        .lines;
    const bytes = patch(frameAt(20), frameAt(21));
    expect(bytes.length).toBeGreaterThan(0);
    expect(Buffer.byteLength(bytes)).toBeLessThan(600);
  });
});

describe('keys', () => {
  const situation: Situation = { ids: ['a', 'b', 'c'], attached: false, page: 10 };
  const typed = (state: ViewState, names: readonly (string | Key)[], more: Partial<Situation> = {}) => {
    let pressed = { state, effect: null } as ReturnType<typeof press>;
    for (const one of names) {
      const key = typeof one === 'string' ? { name: one, sequence: one } : one;
      pressed = press(pressed.state, key, { ...situation, ...more });
    }
    return pressed;
  };
  const at = (selected: string): ViewState => ({ ...FIRST, selected });
  const ctrl = (name: string): Key => ({ name, ctrl: true });

  it.each([
    ['down', 'b'],
    ['j', 'b'],
    ['up', 'a'],
    ['end', 'c'],
    ['G', 'c'],
    ['home', 'a'],
    ['pagedown', 'c'],
  ])('%s selects', (key, selected) => {
    expect(typed(at('a'), [key]).state.selected).toBe(selected);
  });

  it('leads to details, log and help, and back', () => {
    expect(typed(at('a'), ['return']).state.page).toBe('details');
    expect(typed(at('a'), ['l']).state).toMatchObject({ page: 'logs', stream: 'stdout' });
    expect(typed(at('a'), ['l', 'tab']).state.stream).toBe('stderr');
    expect(typed(at('a'), ['l', 'n', 'n', 'p']).state).toMatchObject({ page: 'logs', selected: 'b' });
    expect(typed(at('a'), ['l', '?', 'escape']).state.page).toBe('logs');
    expect(typed(at('a'), ['l', 'escape', 'escape']).state.page).toBe('list');
  });

  it('stops and retries only after a yes, and what was asked about', () => {
    expect(typed(at('b'), ['s']).effect).toBeNull();
    expect(typed(at('b'), ['s', 'y']).effect).toEqual({ do: 'stop', id: 'b' });
    expect(typed(at('b'), ['r', 'y']).effect).toEqual({ do: 'retry', id: 'b' });
    for (const no of ['n', 'return', 'q', 'escape', 's', 'j']) {
      expect(typed(at('b'), ['s', no])).toMatchObject({
        effect: null,
        state: { question: null, selected: 'b' },
      });
    }
    expect(typed({ ...FIRST, selected: null }, ['s', 'y']).effect).toBeNull();
  });

  it('q leaves where the work goes on by itself, and asks where it would not', () => {
    expect(typed(at('a'), ['q']).effect).toEqual({ do: 'leave' });
    expect(typed(at('a'), ['q'], { attached: true }).effect).toBeNull();
    expect(typed(at('a'), ['q', 'y'], { attached: true }).effect).toEqual({ do: 'interrupt' });
    expect(typed(at('a'), ['q', 'n'], { attached: true })).toMatchObject({
      effect: null,
      state: { question: null },
    });
  });

  it('Ctrl+C is never swallowed', () => {
    for (const attached of [true, false]) {
      for (const before of [[], ['s'], ['l'], ['?'], ['q']]) {
        const state = typed(at('a'), before, { attached }).state;
        expect(typed(state, [ctrl('c')], { attached }).effect).toEqual({ do: 'interrupt' });
      }
    }
  });

  it('whatever is typed, the state stays within bounds', () => {
    const names = [
      'up',
      'down',
      'pageup',
      'pagedown',
      'home',
      'end',
      'return',
      'escape',
      'l',
      'n',
      'p',
      'tab',
      '?',
    ];
    const key = fc.constantFrom(...names, 's', 'r', 'y', 'q', 'x', 'é');
    fc.assert(
      fc.property(fc.array(key, { maxLength: 40 }), (keys) => {
        const { state } = typed(at('a'), keys);
        expect(situation.ids).toContain(state.selected);
        expect(state.scroll).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('the selection moves on from a workstream that is gone', () => {
    expect(withSelection({ ...at('x'), page: 'logs' }, ['a'])).toMatchObject({ selected: 'a', page: 'list' });
    expect(withSelection(at('x'), []).selected).toBeNull();
  });
});

describe('the outlook', () => {
  const run = (seconds: number) => ({ task: 0, tool: 't', outcome: 'done', seconds });
  const ofSeconds = (id: string, progress: string, runs: number[], more: Record<string, unknown> = {}) =>
    statusOf(id, { progress, tool_runs: runs.map(run), last_update: AT, ...more });
  const seconds = (statuses: WorkstreamStatus[], parallel = 3): number | null =>
    outlookOf(glanceOf(statuses).list, parallel).seconds;

  it('is unknown before the first task has ended', () => {
    expect(seconds([ofSeconds('A', '0/3', [])])).toBeNull();
    expect(seconds([statusOf('A', { tool_runs: [{ ...run(9), outcome: 'error' }] })])).toBeNull();
  });

  it('is what is left at the pace so far, shared by the workers, and no less than the longest chain', () => {
    expect(seconds([ofSeconds('A', '1/3', [10])])).toBe(20);
    expect(seconds([ofSeconds('A', '1/3', [10], { last_update: AT - 4 })])).toBe(16);
    expect(seconds([ofSeconds('A', '1/2', [10], { last_update: AT - 40 })])).toBeNull();
    const three = [ofSeconds('A', '1/3', [10]), ofSeconds('B', '0/3', []), ofSeconds('C', '0/1', [])];
    expect(seconds(three)).toBe(30);
    expect(seconds(three, 1)).toBe(60);
    expect(seconds([ofSeconds('A', '1/3', [10]), ofSeconds('B', '0/1', [], { depends_on: ['A'] })])).toBe(30);
  });

  it('is over when everything is final, counts what waits for a person apart, and survives a cycle', () => {
    expect(seconds([statusOf('A', { final: true })])).toBe(0);
    const held = statusOf('H', { verdict: 'unknown' });
    expect(outlookOf(glanceOf([held]).list, 3)).toEqual({ seconds: null, waiting: 1 });
    expect(outlookOf(glanceOf([held, ofSeconds('A', '1/2', [10])]).list, 3)).toEqual({
      seconds: 10,
      waiting: 1,
    });
    const cycle = [
      ofSeconds('A', '1/2', [10], { depends_on: ['B'] }),
      ofSeconds('B', '1/2', [], { depends_on: ['A'] }),
    ];
    expect(seconds(cycle)).toBeGreaterThan(0);
  });
});

describe('texts of the view', () => {
  it('are short', () => {
    expect([0, 999, 1_500, 45e6, 1.3e9, 5e12].map(bytesText)).toEqual([
      '0',
      '999',
      '1.5k',
      '43M',
      '1.2G',
      '4.5T',
    ]);
    expect([950, 12_400, 1_250_000].map(countText)).toEqual(['950', '12k', '1.3M']);
    expect([0.314, 12.4, 310.2, null].map(costText)).toEqual(['$0.31', '$12.40', '$310', '-']);
  });

  it('a bar is full only at the end, and empty only at the beginning', () => {
    const bar = (done: number, total: number): string => barOf({ done, total }, 10, false);
    expect([bar(0, 9), bar(1, 99), bar(98, 99), bar(9, 9)]).toEqual([
      '----------',
      '#---------',
      '#########-',
      '##########',
    ]);
    expect(progressOf({ progress: '3/10' })).toEqual({ done: 3, total: 10 });
    expect(progressOf({ progress: 'half of it' })).toBeNull();
    expect(progressOf({ progress: null })).toBeNull();
  });

  it('of logs are stripped of what moves, hides or forges; of a progress bar the last state is left', () => {
    const key = 'sk-ant-abcdefghijklmnop1234567890';
    const lines = harmlessLines(
      `\u001b[2J\u001b[31mred\u001b[0m\tx\r\n1%\r50%\r100%\n\u001b]0;t\u0007a\u009b2Jb\n${key}\n`,
    );
    expect(lines).toHaveLength(4);
    expect(lines.slice(0, 2)).toEqual(['red    x', '100%']);
    expect(lines.join('')).not.toMatch(CONTROL);
    expect(lines[3]).not.toContain(key);
  });

  it('fold at the cells of the terminal', () => {
    expect(foldCells('abcdef', 4)).toEqual(['abcd', 'ef']);
    expect(foldCells('日本語', 5)).toEqual(['日本', '語']);
    expect(foldCells('', 4)).toEqual(['']);
  });

  it('show Unicode where the locale says so', () => {
    expect(showsUnicode({ LANG: 'de_DE.UTF-8' })).toBe(true);
    expect(showsUnicode({ LANG: 'C.utf8', LC_ALL: '' })).toBe(true);
    expect(showsUnicode({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' })).toBe(false);
    expect(showsUnicode({})).toBe(false);
  });

  it('leave a summary: those that need a person with reason and hint, at most 20 rows', () => {
    const reason = { code: 'x', message: 'tests failed', hint: 'mend it' };
    const failed = statusOf('BAD', { verdict: 'failed', final: true, reason });
    const list = glanceOf([...many(40), failed]).list;
    const screen = { width: 80, color: false };
    const lines = summaryLines(list, 'left', screen, true);
    const at = lines.findIndex((line) => line.startsWith('✖ BAD'));
    expect(lines.slice(at + 1, at + 3).map((line) => line.trim())).toEqual(['tests failed', 'mend it']);
    expect(lines.filter((line) => /^\S (WS-\d+|BAD) /.test(line))).toHaveLength(20);
    expect(summaryLines(list, 'over', screen, true).join('\n')).not.toContain('mend it');
  });
});
