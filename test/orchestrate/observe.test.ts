import { utimesSync, writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { traceOf } from '../../lib/orchestrate/observe.ts';
import { heartbeatPath } from '../../lib/protocol/layout.ts';
import { endAll, makeRoot } from '../cli/rig.ts';
import { plainRecord } from '../protocol/arbitraries.ts';

/** What is taken for a worker's sign of life: until then, members of its session are its own. */

afterAll(endAll);

const AT = 1_764_400_000;
const signOf = (root: string, status: string) =>
  traceOf(root, 'A', plainRecord({ workstream: 'A', status, attempt: 1, last_update: AT })).lastSignAt;

test.each(['running', 'completed', 'failed'])('a record that says %s was written by its worker', (status) => {
  expect(signOf(makeRoot(), status)).toBe(AT);
});

test.each(['crashed', 'stopped', 'timed_out', 'merged', 'pending'])(
  'a record that says %s may be written long after its worker died: its heartbeat alone tells',
  (status) => {
    const root = makeRoot();
    expect(signOf(root, status)).toBe(null);
    const path = heartbeatPath(root, 'A');
    writeFileSync(path, '', { mode: 0o600 });
    utimesSync(path, AT - 500, AT - 500);
    expect(signOf(root, status)).toBe(AT - 500);
  },
);
