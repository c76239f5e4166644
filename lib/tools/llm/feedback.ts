import { cutText } from '../../protocol/text.ts';
import type { AnswerFault } from './answer.ts';
import type { EditFault } from './apply.ts';
import { nearestLines } from './nearest.ts';
import { numberedLines } from './shown.ts';

/** What a model is told when its answer could not be carried out. */

const MAX_BYTES = 16 * 1024;
const MAX_FAULTS = 20;
const NEAR_BYTES = 4 * 1024;

/** Files of which a block was not found before; files that the model has seen from the first line to the last. */
type Known = { missed: ReadonlySet<string>; seen: ReadonlySet<string> };

/**
 * Each fault, with the real lines nearest to a block that was not found. A file of which a block was not found in an
 * earlier answer either is asked for as a whole, if the model has seen it as a whole.
 */
export function tellFaults(
  answer: readonly AnswerFault[],
  edits: readonly EditFault[],
  known: Known,
): string {
  const told = [
    ...answer.slice(0, MAX_FAULTS).map(({ line, what }) => `- ${placeOf(line)}${what}.`),
    ...edits.slice(0, MAX_FAULTS).map((fault) => tellEdit(fault, known)),
  ];
  const kept: string[] = [];
  let used = 0;
  for (const one of told) {
    used += Buffer.byteLength(one);
    if (used > MAX_BYTES) break;
    kept.push(one);
  }
  const left = answer.length + edits.length - kept.length;
  return [
    'Nothing was changed, since your answer could not be carried out:',
    ...kept,
    ...(left > 0 ? [`- and ${left} more.`] : []),
    'Give your complete answer again, with all of its blocks, in the format that was described.',
  ].join('\n\n');
}

const GIVE_WHOLE = 'This is the second time: give this file as a whole, in a WHOLE FILE block.';
const READ_FIRST = 'This is the second time: `READ` the file, then copy from what you are shown.';

const placeOf = (line: number): string => (line > 0 ? `Line ${line} of your answer: ` : '');

function tellEdit({ path, line, what, miss }: EditFault, known: Known): string {
  const said = `- ${placeOf(line)}${JSON.stringify(cutText(path, 300))}: ${what}.`;
  if (miss === null) return said;
  const whole = known.missed.has(path) ? [known.seen.has(path) ? GIVE_WHOLE : READ_FIRST] : [];
  const near = nearestLines(miss.file.lines, miss.search);
  if (near === null) return [said, 'No line of the file is like it.', ...whole].join('\n');
  const { text } = numberedLines(miss.file, { from: near.from + 1, to: near.to }, NEAR_BYTES);
  const shown = 'The nearest lines of the file, with their numbers, which are not part of it:';
  return [said, shown, text, ...whole].join('\n');
}

/** Code was given, but no edit: it may have been meant as one. */
export const TELL_CODE =
  'Nothing was changed: your answer holds code, but no block in the format that was described. If files are to be changed, answer in that format. If nothing has to be changed, say so without code.';

/** The answer ended at the model's own bound. */
export const TELL_CUT =
  'Your answer was cut off because it was too long. Give it again, shorter: SEARCH blocks of a few lines, no explanations.';
