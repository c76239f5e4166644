import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Cell, runCell } from '../../lib/proof/agents/cell.ts';
import { expectedOf } from '../../lib/proof/agents/expected.ts';
import { FAKE_KEY, SUBJECTS, type Subject } from '../../lib/proof/agents/subjects.ts';
import { MODES, type Mode, USAGE } from '../../lib/proof/model-server/modes.ts';
import { adapterNamed } from '../../lib/tools/registry.ts';
import { cellsOf, type Measured, pageOf, versionsOf } from './page.ts';
import { PROBE, person } from './tools.ts';

/** Every adapter whose program is there, against the fake server in each of its modes. */

/** Those in which a tool tries again by itself for a minute or more come first: the others run meanwhile. */
const SLOW: readonly Mode[] = ['429', 'quota', '5xx', 'dropped', 'never'];
const ORDER = [...SLOW, ...MODES.filter((mode) => !SLOW.includes(mode))];

/** A server that never answers must cost little; elsewhere a tool that waits between its own tries is let be. */
const BOUNDS: Partial<Record<Mode, { stallMs: number; timeoutMs: number }>> = {
  // Of which a busy machine takes a minute to load aider.
  never: { stallMs: 15_000, timeoutMs: 300_000 },
  quota: { stallMs: 60_000, timeoutMs: 330_000 },
};
const OTHER_BOUNDS = { stallMs: 120_000, timeoutMs: 330_000 };

const cells: Cell[] = [];
const versions: Record<string, string> = {};

async function measure(subject: Subject, mode: Mode): Promise<Cell> {
  const bounds = BOUNDS[mode] ?? OTHER_BOUNDS;
  const cell = await runCell(subject, mode, { probe: PROBE, person, ...bounds });
  cells.push(cell);
  return cell;
}

/** Names of tools; those that are named must be there. None named: all that are there. */
const wanted = process.env['ORCH_AGENTS']?.split(/[\s,]+/).filter((name) => name !== '') ?? null;

const found = SUBJECTS.filter(({ tool }) => wanted?.includes(tool) ?? true).map((subject) => {
  const { env, settings } = subject.connect('http://127.0.0.1:1', '/nonexistent');
  return { subject, found: adapterNamed(subject.tool)?.find({ ...person, ...env }, settings) };
});

test.runIf(wanted !== null)('the tools that were asked for are there', () => {
  const there = found.filter((one) => one.found?.usable === true).map(({ subject }) => subject.tool);
  expect(wanted?.filter((name) => !there.includes(name))).toEqual([]);
});

for (const { subject, found: one } of found) {
  if (one?.usable !== true) continue;
  // Before all others, and alone: an adapter asks within a bound.
  test(`${subject.name} says its version`, async () => {
    const { env, settings } = subject.connect('http://127.0.0.1:1', '/nonexistent');
    const version = await adapterNamed(subject.tool)?.version({ ...person, ...env }, settings);
    versions[subject.name] = version ?? 'of orch';
    if (subject.tool !== 'llm') expect(version).toMatch(/^\d+\.\d+/);
  });
}

for (const { subject, found: one } of found) {
  if (one?.usable !== true) {
    console.warn(
      `${subject.name} is not probed: ${one?.why}. scripts/agents/install.sh ${subject.tool} installs it.`,
    );
    test.skip(`${subject.name}: not installed`, () => undefined);
    continue;
  }
  describe.concurrent(subject.name, () => {
    test.each(ORDER)('%s', async (mode) => {
      const cell = await measure(subject, mode);
      const { outcome } = expectedOf(subject.name, mode);
      const what = `${cell.result.message}\n${cell.err.slice(-1_000)}\n${cell.out.slice(-2_000)}`;
      expect(cell.outcome, what).toBe(outcome);
      expect(cell.changed, what).toBe(outcome === 'done' ? 'as asked' : 'nothing');
      expect(cell.left).toEqual([]);
      expect(cell.asked.filter(({ hasKey }) => !hasKey)).toEqual([]);
      expect(cell.asked.length).toBeGreaterThan(0);
      for (const text of [cell.out, cell.err, cell.result.message]) expect(text).not.toContain(FAKE_KEY);
      checkNumbers(cell);
    });
  });
}

/** What the server said of tokens is what the adapter tells, whole answers only. */
function checkNumbers({ outcome, result, subject, mode }: Cell): void {
  const { usage, retryAfterSeconds } = result;
  if (outcome === 'done' && usage !== null) {
    const answers = usage.tokensOut / USAGE.tokensOut;
    expect(usage).toMatchObject({ tokensIn: answers * USAGE.tokensIn });
    expect(answers).toBeGreaterThanOrEqual(1);
  }
  if (outcome === 'done' && ['aider', 'llm'].includes(subject)) expect(usage).not.toBeNull();
  if (retryAfterSeconds !== null) expect(retryAfterSeconds).toBe(mode === 'quota' ? 3_600 : 1);
}

afterAll(() => {
  const page = pageOf(cells, versions);
  process.stdout.write(
    `\n${page
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .join('\n')}\n\n`,
  );
  for (const { subject, mode, outcome, seconds, asked } of cells)
    process.stdout.write(
      `${subject} ${mode}: ${outcome}, ${seconds.toFixed(1)} s, asked ${asked.length} times\n`,
    );
  if (process.env['ORCH_MATRIX'] === 'write') writePage();
});

/** What was not measured now stays as it was. */
function writePage(): void {
  const path = join(import.meta.dirname, '../../docs/tools-matrix.md');
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const isNew = (one: Measured): boolean =>
    cells.every(({ subject, mode }) => subject !== one.subject || mode !== one.mode);
  const earlier = cellsOf(before).filter(isNew);
  writeFileSync(path, pageOf([...earlier, ...cells], { ...versionsOf(before), ...versions }));
}
