import { expect, test } from 'vitest';
import { codedFault, OrchError } from '../lib/errors.ts';

const system = (code: string): Error => Object.assign(new Error(`${code}: it did not work`), { code });

test('what the system refuses is a coded error with a hint, and keeps its cause', () => {
  const cause = system('EIO');
  const fault = codedFault(cause);
  expect(fault).toBeInstanceOf(OrchError);
  expect(fault).toMatchObject({ code: 'IO', cause });
  expect((fault as OrchError).hint).not.toBeNull();
  expect(codedFault(system('ENOSPC'))).toMatchObject({ code: 'DISK_FULL' });
});

test('a fault of orch, and what is coded already, stays what it is', () => {
  const faults = [
    new TypeError('x is undefined'),
    system('ERR_INVALID_ARG_TYPE'),
    new OrchError('BUSY', 'b'),
    'text',
  ];
  for (const fault of faults) expect(codedFault(fault)).toBe(fault);
});
