import { expect, it } from 'vitest';
import { terminalBell } from '../../lib/cli/bell.ts';
import type { StatusList } from '../../lib/orchestrate/poll.ts';
import type { NotifyEvent } from '../../lib/protocol/notify.ts';
import { DEFAULT_OPTIONS, type FrozenPlan } from '../../lib/protocol/plan.ts';

const planWith = (on: NotifyEvent[]): FrozenPlan => ({
  schema: 'orch.plan-frozen/1',
  run: 'r',
  created_at: 0,
  base: '0'.repeat(40),
  mode: 'attached',
  options: { ...DEFAULT_OPTIONS, notify: [{ kind: 'bell', on }] },
  workstreams: [],
});

const listOf = (states: Record<string, string>): StatusList =>
  ({
    workstreams: Object.entries(states).map(([workstream, verdict]) => {
      const final = verdict !== 'running';
      return { workstream, verdict, final, planned: true, reason: null, run: 'r', attempt: 1 };
    }),
  }) as unknown as StatusList;

function rings(plan: FrozenPlan, isTTY: boolean, lists: StatusList[]): number {
  let text = '';
  const ring = terminalBell(plan, { isTTY, write: (part) => (text += part) });
  for (const list of lists) ring(list);
  expect(text.replaceAll('\u0007', '')).toBe('');
  return text.length;
}

const life = [
  listOf({ A: 'failed', B: 'running', C: 'running' }),
  listOf({ A: 'failed', B: 'failed', C: 'running' }),
  listOf({ A: 'failed', B: 'failed', C: 'running' }),
  listOf({ A: 'failed', B: 'failed', C: 'completed' }),
  listOf({ A: 'failed', B: 'failed', C: 'completed' }),
];

it('rings once for each thing that comes up while somebody watches', () => {
  expect(rings(planWith(['failed', 'final']), true, life)).toBe(2);
  expect(rings(planWith(['final']), true, life)).toBe(1);
  expect(rings(planWith(['attention']), true, life)).toBe(0);
});

it('keeps quiet where there is no terminal', () => {
  expect(rings(planWith(['failed', 'final']), false, life)).toBe(0);
});
