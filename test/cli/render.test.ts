import { writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ageText, changeLine, renderStatus } from '../../lib/cli/render.ts';
import { harmless, textSink, withoutSequences } from '../../lib/cli/render-log.ts';
import { cells, cutCells, wrapCells } from '../../lib/cli/table.ts';
import { pollStatus } from '../../lib/orchestrate/poll.ts';
import { recordPath } from '../../lib/protocol/layout.ts';
import { nearNames } from '../../lib/protocol/near.ts';
import {
  completed,
  endAll,
  failed,
  makeRoot,
  putForeign,
  putPlan,
  putRecord,
  startWorker,
  workedOn,
} from './rig.ts';

afterEach(endAll);

const HOSTILE = 'a\u001b]0;owned\u0007b\u001b[2Jc\u202ed\ne';
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;
const PIPE = { width: null, color: false };

async function mixedRoot(): Promise<string> {
  const root = makeRoot();
  const worker = await startWorker();
  const gone = await startWorker();
  await gone.end();
  await putPlan(root, ['LIVE', 'DONE', 'FAIL', 'GONE', 'a-workstream-with-quite-a-long-name-indeed']);
  await putRecord(root, 'LIVE', {
    ...workedOn(worker),
    current_task: `日本語のタスク ${'x'.repeat(60)} ${HOSTILE}`,
  });
  await putRecord(root, 'DONE', completed);
  await putRecord(root, 'FAIL', { ...failed, reason: { code: 'x', message: HOSTILE, hint: HOSTILE } });
  await putRecord(root, 'GONE', workedOn(gone));
  putForeign(root, 'WORD', { status: HOSTILE, current_task: HOSTILE, progress: HOSTILE });
  writeFileSync(recordPath(root, 'BAD'), '{');
  return root;
}

describe('the table', () => {
  it('is plain when piped, and cuts nothing', async () => {
    const text = renderStatus(await pollStatus(await mixedRoot()), PIPE);
    expect(text).not.toMatch(CONTROL);
    expect(text).toContain('x'.repeat(60));
    expect(text).toContain('\\u001b');
    expect(text).toContain('crashed (running)');
    expect(text).toContain('unknown (unreadable)');
    expect(text.split('\n')[0]).toMatch(/^WORKSTREAM +STATUS/);
  });

  it.each([120, 80, 40, 20])('fits a terminal of %i columns', async (width) => {
    const list = await pollStatus(await mixedRoot());
    const lines = renderStatus(list, { width, color: false }).trimEnd().split('\n');
    expect(Math.max(...lines.map(cells))).toBeLessThanOrEqual(width);
    for (const { verdict } of list.workstreams) expect(lines.join('\n')).toContain(verdict);
    expect(lines.join('\n')).toContain('LIVE');
  });

  it('has colours where it is told to, at the same widths', async () => {
    const list = await pollStatus(await mixedRoot());
    const plain = renderStatus(list, { width: 80, color: false });
    const coloured = renderStatus(list, { width: 80, color: true });
    expect(coloured).toContain('\u001b[');
    expect(coloured.replaceAll(/\u001b\[[\d;]*m/g, '')).toBe(plain);
  });

  it('explains each problem: evidence and hint', async () => {
    const list = await pollStatus(await mixedRoot());
    const text = renderStatus(list, PIPE);
    const gone = list.workstreams.find(({ workstream }) => workstream === 'GONE');
    expect(gone?.evidence).toBeTruthy();
    expect(text).toContain(gone?.evidence);
    expect(text).toContain(gone?.reason?.hint);
    expect(text).toContain('no orchestrator');
  });

  it('says a change in one harmless line that fits', async () => {
    const { workstreams, at } = await pollStatus(await mixedRoot());
    for (const status of workstreams) {
      const line = changeLine(status, at, { width: 40, color: false });
      expect(cells(line)).toBeLessThanOrEqual(40);
      expect(line).not.toMatch(CONTROL);
      const coloured = changeLine(status, at, { width: 40, color: true });
      expect(coloured.replaceAll(/\u001b\[[\d;]*m/g, '')).toBe(line);
    }
  });
});

describe('texts', () => {
  it('counts and cuts by cells', () => {
    expect(cells('日本')).toBe(4);
    expect(cutCells('日本語', 5)).toBe('日本…');
    expect(cutCells('日本語', 4)).toBe('日…');
    expect(cutCells('日本語', 6)).toBe('日本語');
    expect(cutCells('abc', 0)).toBe('');
    expect(wrapCells('one two three', 8, '  ', '> ')).toEqual(['> one', '  two', '  three']);
    expect(wrapCells('averylongword', 5, '')).toEqual(['aver…']);
    expect(wrapCells(' two  blanks ', 4, '')).toEqual([' two', '', 'bla…', '']);
    expect(wrapCells('日本 日本 日', 5, '')).toEqual(['日本', '日本', '日']);
    const begun = process.cpuUsage();
    for (const width of [80, Number.POSITIVE_INFINITY]) wrapCells('é '.repeat(100_000), width, '');
    expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000);
  });

  it('tells ages', () => {
    const ages = [null, -3, 0, 59.9, 60, 3_599, 7_300, 200_000].map(ageText);
    expect(ages).toEqual(['-', '0s', '0s', '59s', '1m', '59m', '2h', '2d']);
  });

  it('keeps colours and line ends of logs, and shows all else', () => {
    expect(harmless('\u001b[31mred\u001b[0m\tx\r\ny\n', true)).toBe('\u001b[31mred\u001b[0m\tx\ny\n');
    expect(harmless('\u001b[31mred\u001b[0m', false)).toBe('red');
    expect(harmless('\u001b[2Ja\rb\u001b]0;t\u0007\u009b2J', true)).not.toMatch(CONTROL);
  });

  it('takes escape sequences out for pipes, and nothing else', () => {
    for (const [text, plain] of [
      ['\u001b[1;31mred\u001b[0m\u0007 \u001b[2K\u001b[?25lx', 'red\u0007 x'],
      ['\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', 'alink'],
      ['\u009b31mred\u001b(B', 'red'],
      ['no sequence [31m here', 'no sequence [31m here'],
      ['\u001b]never ended', '\u001b]never ended'],
    ] as const)
      expect(withoutSequences(text)).toBe(plain);
    for (const unit of ['\u001b]', '\u001b[', '\u001b[1', '\u001bP', '\u009b;']) {
      const begun = process.cpuUsage();
      withoutSequences(unit.repeat(300_000));
      expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000);
    }
  });

  it('lets no beginning of a sequence, and no secret behind a colour, through a pipe', async () => {
    const shown: string[] = [];
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      shown.push(String(text));
      return true;
    });
    const sink = textSink({ width: null, color: false }, new AbortController().signal);
    await sink.write(
      Buffer.from('\u001b]0;ow\nned\u0007\u001b[2\nJ\u009b\nsk-ant-\u001b[31mabcdefghijklmnop1234567890\n'),
    );
    await sink.end();
    write.mockRestore();
    expect(shown.join('')).not.toMatch(/[\u001b\u0080-\u009f]|klmnop/);
    expect(shown.join('')).toContain('\\u001b]0;ow\nned');
  });

  it('knows which id a person meant', () => {
    const known = ['WS-001', 'WS-002', 'docs', 'api-layer'];
    expect(nearNames('ws-001', known)[0]).toBe('WS-001');
    expect(nearNames('WS-00l', known)).toContain('WS-001');
    expect(nearNames('api', known)).toEqual(['api-layer']);
    expect(nearNames('zzzzzz', known)).toEqual([]);
    expect(nearNames('adier', ['claude', 'aider'])).toEqual(['aider']);
  });
});
