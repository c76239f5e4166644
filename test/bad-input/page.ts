import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Row, Section } from './table.ts';

const PAGE = join(import.meta.dirname, '../../docs/bad-inputs.md');

const HEAD = `# Bad inputs and bad days

What orch says, and with which exit code, when it is given what it cannot work with. Made by
\`test/e2e/bad-input.e2e.ts\`, which runs every line; do not edit it by hand
(\`UPDATE_DOCS=1 npm run e2e -- bad-input\` writes it anew).

A refusal leaves the repository as it was. It goes to stderr as \`orch: MESSAGE\`, the hint on the next line; with
\`--json\` as \`{"error": {"code", "message", "hint"}}\`. The repository of the examples is \`/repo\`.
`;

const cell = (text: string): string => {
  const escaped = text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
  return escaped
    .split('\n')
    .map((line) => line.trim())
    .join('<br>');
};

const codeCell = (text: string): string => (text === '' ? '' : `\`${text.replaceAll('|', '\\|')}\``);

function rowText({ what, command, exit, code, says }: Row): string {
  return `| ${cell(what)} | ${codeCell(command)} | ${exit} | ${codeCell(code)} | ${cell(says)} |`;
}

function sectionText({ title, text, rows }: Section, before: string): string {
  if (rows === 'skipped') return sectionOf(before, title);
  const head =
    '| what is wrong | command | exit | code | message and hint |\n| --- | --- | --- | --- | --- |';
  const intro = text === '' ? '' : `${text}\n\n`;
  return `## ${title}\n\n${intro}${head}\n${rows.map(rowText).join('\n')}\n`;
}

/** What a page says under a heading: what could not be proved here was proved elsewhere. */
function sectionOf(page: string, title: string): string {
  const from = page.indexOf(`## ${title}\n`);
  if (from === -1) return '';
  const to = page.indexOf('\n## ', from);
  return to === -1 ? page.slice(from) : page.slice(from, to);
}

/** The page on disk must say what was found; with UPDATE_DOCS=1 it is made to. */
export function expectPage(sections: readonly Section[]): void {
  const before = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
  const page = [HEAD, ...sections.map((section) => sectionText(section, before))].join('\n');
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, 'utf8')).toBe(page);
}
