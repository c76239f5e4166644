import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ciOf } from '../../lib/cli/ci/environment.ts';
import { markdownText } from '../../lib/cli/ci/job-summary.ts';
import { openWorkflow } from '../../lib/cli/ci/workflow.ts';
import { readAsRunner } from '../rig/runner.ts';

it.each([
  [{}, null],
  [{ CI: 'false' }, null],
  [{ CI: '0', GITHUB_ACTIONS: '' }, null],
  [{ CI: 'true' }, 'other'],
  [{ CI: 'true', GITHUB_ACTIONS: 'true' }, 'github'],
])('takes %j for %s', (environment, ci) => {
  expect(ciOf(environment)).toBe(ci);
});

const hostile = fc.constantFrom(
  '::error::forged',
  '  ::warning::forged',
  '##[error]forged',
  'x ##[add-mask]y',
  '::stop-commands::x',
  '::endgroup::',
  '::x::',
  'a%0Ab',
  'a\u2028b',
);
const text = fc.oneof(
  hostile,
  fc.string({ unit: 'binary' }),
  fc.array(hostile).map((lines) => lines.join('\n')),
);

it('says its commands, whatever they hold, and nothing else is one', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text, text)), (all) => {
      let output = '';
      const workflow = openWorkflow((part) => {
        output += part;
      });
      for (const [title, message, log] of all) {
        output += `${log}\n`;
        workflow.command('error', { title }, message);
      }
      const { commands, isStopped } = readAsRunner(output);
      expect(isStopped).toBe(true);
      expect(commands.map(({ name }) => name)).toEqual(all.map(() => 'error'));
      const spelled = (value: string): string =>
        value.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%');
      expect(commands.map((one) => spelled(one.text))).toEqual(all.map(([, message]) => message));
      workflow.close();
      expect(readAsRunner(`${output}::notice::later`).commands.at(-1)?.name).toBe('notice');
    }),
  );
});

it('masks secrets in a cell', () => {
  expect(markdownText('said sk-ant-abcdefghijklmnop1234567890')).not.toContain('abcdefghijklmnop');
});

it('leaves no markup in a cell', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      expect(markdownText(value)).not.toMatch(/[|<>`*_[\]()!\n\r\\~@]/);
    }),
  );
  expect(markdownText('a | <b>')).toBe('a &#124; &#60;b&#62;');
});
