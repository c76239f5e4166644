import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { VERBS } from '../../lib/cli/program.ts';
import { recordVerb } from '../../lib/cli/recorded.ts';
import { manPage } from '../../scripts/man/page.ts';

const repository = join(import.meta.dirname, '../..');
const PAGE = join(repository, 'man/orch.1');

describe.each(Object.keys(VERBS))('orch %s', (name) => {
  it('says what each option is, and shows at least two examples of itself', async () => {
    const verb = (await VERBS[name]?.())?.verb ?? null;
    expect(verb?.describe.length).toBeGreaterThan(10);
    const { options, positionals, examples } = recordVerb(verb);
    for (const [option, { describe: text = '' }] of [...options, ...positionals])
      expect([option, /^[A-Za-z].{4,}[^.]$/.test(text)]).toEqual([option, true]);
    expect(examples.length).toBeGreaterThanOrEqual(2);
    for (const [command, what] of examples) {
      expect(command).toContain(`$0 ${name}`);
      expect(what.length).toBeGreaterThan(5);
      // An example of an option that there is not would be worse than none.
      const mine = command.slice(command.indexOf('$0')).split(/ [|&>]/)[0] ?? '';
      for (const [, long = ''] of mine.matchAll(/ --([a-z-]+)/g))
        expect([command, options.has(long) || options.has(long.replace(/^no-/, ''))]).toEqual([
          command,
          true,
        ]);
    }
  });
});

describe('the manual page', () => {
  it('is what the definitions say: `npm run man` writes it anew', async () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(readFileSync(PAGE, 'utf8')).toBe(await manPage(version));
  });

  it('is in the package', () => {
    const { man, files } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
    expect([man, files]).toEqual(['man/orch.1', expect.arrayContaining(['man'])]);
  });

  it('is read by man without a warning', async (context) => {
    const shown = await execa('groff', ['-man', '-Tutf8', '-ww', PAGE], { reject: false });
    // Not every machine has it.
    if (shown.code === 'ENOENT') return context.skip('there is no groff here');
    expect([shown.exitCode, shown.stderr]).toEqual([0, '']);
    const text = shown.stdout.replaceAll(/\u001b\[[\d;]*m/g, '').replaceAll(/.\u0008/g, '');
    for (const name of Object.keys(VERBS)) expect(text).toMatch(new RegExp(`^\\s+orch ${name}`, 'm'));
    expect(text).toContain('--older-than');
  });
});
