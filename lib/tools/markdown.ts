import { stripVTControlCharacters } from 'node:util';
import { cutText, spellControls } from '../protocol/text.ts';

/** Texts of plans and of programs as parts of a Markdown text, none of which can end its own part. Pure. */

/** Longer runs of backticks are cut to this: a fence must be longer than any in it. */
const LONGEST_RUN = 16;
const TOO_LONG = /`{17,}/g;

/** What a program printed: without its colours, in lines, each other control character spelled as `\uXXXX`. */
export function plainText(text: string): string {
  // By way of bytes: half a surrogate pair is no character.
  const whole = Buffer.from(stripVTControlCharacters(text)).toString('utf8').replaceAll(/\r\n?/g, '\n');
  return whole.split('\n').map(spellLine).join('\n');
}

const spellLine = (line: string): string => line.split('\t').map(spellControls).join('\t');

/** All of it on one line, blanks for line ends, at most `maxBytes`. */
export function oneLine(text: string, maxBytes: number): string {
  return cutText(
    plainText(cutText(text, maxBytes * 2))
      .replaceAll(/\s+/g, ' ')
      .trim(),
    maxBytes,
  );
}

/** The beginning and the end of a text of more than `maxBytes`, and how much is missing between them. */
export function cutMiddle(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const head = bytes
    .subarray(0, Math.floor(maxBytes / 4))
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  const tail = bytes.subarray(bytes.length - Math.floor((maxBytes * 5) / 8)).toString('utf8');
  return `${head}\n[… about ${bytes.length - maxBytes} bytes are left out here …]\n${tail.replace(/^\uFFFD+/, '')}`;
}

/** Runs of backticks within reason: what encloses them must be longer than any. */
function withShortRuns(text: string): { text: string; longest: number } {
  const short = text.replaceAll(TOO_LONG, '`'.repeat(LONGEST_RUN));
  return { text: short, longest: Math.max(0, ...(short.match(/`+/g) ?? []).map((run) => run.length)) };
}

/** A block of code that nothing in `text` closes. */
export function fenced(text: string): string {
  const { text: body, longest } = withShortRuns(text);
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}text\n${body.replace(/\n+$/, '')}\n${fence}`;
}

/** One line as it is where it reads as a sentence, else as code, in which nothing has a meaning. */
export function phrase(line: string): string {
  const isPlain = /^[\p{L}\p{N}"'(][^<`]*$/u.test(line) && !/^\d+[.)]/.test(line);
  return isPlain ? line : inlineCode(line);
}

/** Code within a line. */
export function inlineCode(line: string): string {
  const { text, longest } = withShortRuns(line);
  if (text.trim() === '') return '(empty)';
  const mark = '`'.repeat(longest + 1);
  const edge = /^[ `]|[ `]$/.test(text) ? ' ' : '';
  return `${mark}${edge}${text}${edge}${mark}`;
}

/** A list of at most `maxBytes`; what has no room is counted at its end. */
export function listOf(entries: readonly string[], maxBytes: number): string[] {
  const lines: string[] = [];
  let room = maxBytes;
  for (const entry of entries) {
    const line = `- ${entry.replaceAll('\n', '\n  ')}`;
    room -= Buffer.byteLength(line) + 1;
    if (room < 0) break;
    lines.push(line);
  }
  const left = entries.length - lines.length;
  return left === 0 ? lines : [...lines, `- and ${left} more, for which there is no room here`];
}
