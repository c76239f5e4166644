import fc from 'fast-check';
import { expect, test } from 'vitest';
import { graphLines, mermaidLines, planLines } from '../../lib/cli/render-plan.ts';
import { cells } from '../../lib/cli/table.ts';
import type { PlannedWorkstream } from '../../lib/protocol/plan.ts';

function workstream(id: string, depends_on: string[] = [], title = id): PlannedWorkstream {
  return {
    id,
    title,
    depends_on,
    tasks: [],
    checks: [],
    files_scope: [],
    files_create: [],
    scope: 'off',
    tool: null,
    priority: 2.5,
    timeoutMs: null,
    taskTimeoutMs: null,
    setup: [],
    copy: [],
    env: {},
    circuit_breaker: null,
    definition: '',
    source: 'a.json:1',
  };
}

const LONG = 'ws-with-a-name-that-is-longer-than-a-terminal-may-be-wide';
const PLAN = [
  workstream('a', [], 'Ein Titel mit 漢字 \u001b[2J'),
  workstream('b', ['a', 'earlier']),
  workstream(LONG, ['a', 'b'], 'x'.repeat(200)),
];

test('no line is wider than the terminal', () => {
  fc.assert(
    fc.property(fc.integer({ min: 24, max: 200 }), (width) => {
      const screen = { width, color: false };
      for (const line of [...planLines(PLAN, null, screen), ...graphLines(PLAN, screen)]) {
        expect(cells(line)).toBeLessThanOrEqual(width);
        expect(line).not.toContain('\u001b');
      }
    }),
  );
});

test('a pipe gets everything, waves in order, what is done marked', () => {
  const screen = { width: null, color: false };
  const [, first, second, third] = planLines(PLAN, null, screen);
  expect(first).toMatch(/^1 +a +0 +2\.5 .*漢字/);
  expect(second).toMatch(/^2 +b .*a, earlier/);
  expect(third).toMatch(new RegExp(`^3 +${LONG} .*x{200}$`));
  expect(graphLines(PLAN, screen)[1]).toBe('b ← a, earlier (done)');
});

test('who does the prompts is told where there are any, those of tasks and the default too', () => {
  const screen = { width: null, color: false };
  const prompt = (tool: string[] | null) =>
    ({ kind: 'prompt', prompt: 'Mend it', tool, step: null, timeoutMs: null, digest: '' }) as const;
  const run = { kind: 'run', run: 'true', step: null, timeoutMs: null, digest: '' } as const;
  const asks = { ...workstream('asks'), tasks: [run, prompt(['claude']), prompt(null)] };
  const [head, row] = planLines([asks], ['aider', 'llm'], screen);
  expect(head).toContain('TOOLS');
  expect(row).toContain('claude, aider, llm');
  expect(planLines([{ ...asks, tasks: [run] }], ['aider'], screen)[0]).not.toContain('TOOLS');
});

test('Mermaid: every edge joins two nodes that are there', () => {
  const lines = mermaidLines(PLAN);
  const nodes = new Set(lines.flatMap((line) => /^ {2}(n\d+)[[(]"/.exec(line)?.[1] ?? []));
  expect(nodes.size).toBe(4);
  const edges = lines.flatMap((line) => {
    const [, from = '', to = ''] = /^ {2}(n\d+) --> (n\d+)$/.exec(line) ?? [];
    return from === '' ? [] : [[from, to]];
  });
  expect(edges).toHaveLength(4);
  for (const id of edges.flat()) expect(nodes.has(id)).toBe(true);
});
