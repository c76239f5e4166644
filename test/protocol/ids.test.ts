import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idFault, isId } from '../../lib/protocol/ids.ts';
import {
  branchOf,
  checkpointRef,
  recordLockPath,
  recordPath,
  salvageRef,
} from '../../lib/protocol/layout.ts';
import { id } from './arbitraries.ts';

const GOOD = [
  'WS-001',
  'a',
  '0',
  'a.b',
  'a_b',
  'a-',
  'x'.repeat(100),
  'lock',
  'a.lock.b',
  'Integration-1',
  'json',
];
const HOSTILE = [
  '',
  '.',
  '..',
  '-rf',
  '_plan',
  '.hidden',
  'a/b',
  '../x',
  'a\\b',
  'a..b',
  'a.',
  'a.lock',
  'a.LOCK',
  'a.Lock',
  'integration',
  'INTEGRATION',
  'x'.repeat(101),
  'a b',
  'a\n',
  'a\0',
  'a\u001b[31m',
  'é',
  'a\u0301',
  'a\u200b',
  'a:b',
  'a~1',
  'a^',
  'a?',
  'a*',
  'a[',
  'a@{',
];

describe('ids', () => {
  it.each(GOOD)('takes %j', (good) => {
    expect(idFault(good)).toBeNull();
    expect(isId(good)).toBe(true);
  });

  it.each(HOSTILE)('refuses %j and says why', (hostile) => {
    expect(idFault(hostile)).toMatch(/^(must|is)/);
    expect(isId(hostile)).toBe(false);
  });

  it('never lets two ids or an id and a file of orch share a path', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(recordPath('/r', a)).not.toBe(recordLockPath('/r', b));
        expect(recordPath('/r', a)).toMatch(/^\/r\/\.status\/[A-Za-z0-9]/);
      }),
    );
  });

  it('makes names that git takes', () => {
    const ids = fc.sample(id, 25);
    for (const one of [...GOOD, ...ids]) {
      for (const ref of [`refs/heads/${branchOf(one)}`, checkpointRef(one), salvageRef(one, 1)]) {
        expect(() => execFileSync('git', ['check-ref-format', ref])).not.toThrow();
      }
    }
  });
});
