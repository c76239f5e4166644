import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { planPath } from '../../lib/protocol/layout.ts';
import { planInForce, readPlan } from '../../lib/store/plans.ts';
import { endAll, makeRoot } from './run-program.ts';

afterEach(endAll);

const DAMAGED: [how: string, bytes: string | Buffer][] = [
  ['is empty', ''],
  ['is cut', '{"schema": "orch.plan-frozen/1"'],
  ['is of other types', '{"schema": "orch.plan-frozen/1", "workstreams": 1}'],
  ['is not UTF-8', Buffer.from([0xff])],
  ['is cut within a character', Buffer.from('{"title": "\u00e4').subarray(0, -1)],
];

describe('a frozen plan', () => {
  it.each(DAMAGED)(
    'that %s is as none, for those who act, and a coded fault for those who show',
    (_, bytes) => {
      const root = makeRoot();
      expect([readPlan(root), planInForce(root)]).toEqual([null, null]);
      writeFileSync(planPath(root), bytes);
      expect(() => readPlan(root)).toThrowError(expect.objectContaining({ code: 'PLAN_INVALID' }));
      expect(planInForce(root)).toBeNull();
    },
  );

  it('that no launch can have written, being so large, is damaged too', () => {
    const root = makeRoot();
    writeFileSync(planPath(root), '');
    truncateSync(planPath(root), 65 * 1024 * 1024);
    expect(planInForce(root)).toBeNull();
  });

  it('that something else stands in for stops those who act: it is not known what the plan is', () => {
    const root = makeRoot();
    const path = planPath(root);
    const others = [
      () => mkdirSync(path),
      () => symlinkSync('elsewhere', path),
      () => execFileSync('mkfifo', [path]),
    ];
    for (const make of others) {
      make();
      expect(() => planInForce(root)).toThrowError(expect.objectContaining({ code: 'UNSAFE_FOLDER' }));
      rmSync(path, { recursive: true });
    }
  });
});
