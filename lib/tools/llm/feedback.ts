import { cutText } from '../../protocol/text.ts';
import type { AnswerFault } from './answer.ts';
import type { EditFault } from './apply.ts';
import { nearestLines } from './nearest.ts';
import { numberedLines } from './shown.ts';

/** What a model is told when its answer could not be carried out. */

const MAX_BYTES = 16 * 1024;
const MAX_FAULTS = 20;
const NEAR_BYTES = 4 * 1024;

/**
 * Each fault, with the real lines nearest to a block that was not found. `failedBefore`: files of which a block was not
 * found in an earlier answer either; they are asked for as a whole.
 */
export function tellFaults(
  answer: readonly AnswerFault[],
  edits: readonly EditFault[],
  failedBefore: ReadonlySet<string>,
): string {
  const told = [
    ...answer.slice(0, MAX_FAULTS).map(({ line, what }) => `- ${placeOf(line)}${what}.`),
    ...edits.slice(0, MAX_FAULTS).map((fault) => tellEdit(fault, failedBefore)),
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

const placeOf = (line: number): string => (line > 0 ? `Line ${line} of your answer: ` : '');

function tellEdit({ path, line, what, miss }: EditFault, failedBefore: ReadonlySet<string>): string {
  const said = `- ${placeOf(line)}${JSON.stringify(cutText(path, 300))}: ${what}.`;
  if (miss === null) return said;
  const whole = failedBefore.has(path)
    ? ['This is the second time: give this file as a whole, in a WHOLE FILE block.']
    : [];
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
