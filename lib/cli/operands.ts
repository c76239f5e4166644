import { OrchError } from '../errors.ts';
import { recordVerb } from './recorded.ts';

/**
 * The word of a command line that names its command, a wrong name too; undefined where there is none. What stands
 * before it as the value of an option does not, though a repository may be called as a verb is.
 */
export function commandWord(words: readonly string[], isVerb: (word: string) => boolean): string | undefined {
  const { options } = recordVerb(null);
  const taking = [...options].filter(([, { type }]) => type !== 'boolean').map(([name]) => `--${name}`);
  const end = words.indexOf('--');
  const ahead = end === -1 ? words : words.slice(0, end);
  return ahead.find((word, at) => {
    const before = ahead[at - 1] ?? '';
    if (word.startsWith('-') || taking.includes(before)) return false;
    // Behind an option of a command that is not known yet, any other word is likely its value.
    return isVerb(word) || !before.startsWith('-') || before.includes('=') || options.has(before.slice(2));
  });
}

/** A command line as a parser is to see it, and the words that are operands whatever they look like. */
type Split = { words: readonly string[]; operands: readonly string[] };

/**
 * What stands behind `--` apart, where a command takes any number of operands. Where it does not, it has no greedy
 * option either, and each word goes to the parser, which counts and judges it. No command (null) takes none.
 * @throws OrchError USAGE for an operand of the latter that would be taken for an option.
 */
export function splitOperands(argv: readonly string[], command: string | null, hint: string): Split {
  const end = argv.indexOf('--');
  if (end === -1) return { words: argv, operands: [] };
  const [words, operands] = [argv.slice(0, end), argv.slice(end + 1)];
  if (command === null || listName(command) !== null) return { words, operands };
  const option = operands.find((word) => word.startsWith('-'));
  if (option !== undefined)
    throw new OrchError('USAGE', `there is no such argument here: ${option}`, { hint });
  return { words: [...words, ...operands], operands: [] };
}

/** The arguments of a command with more operands at the end of its list. */
export function withOperands<T>(args: T, command: string, operands: readonly string[]): T {
  const name = listName(command);
  if (name === null || operands.length === 0) return args;
  const given = (args as Record<string, unknown>)[name];
  return { ...args, [name]: [...(Array.isArray(given) ? given : []), ...operands] };
}

/** Of `launch [plan..]`, `plan`. */
const listName = (command: string): string | null => /\[(\w+)\.\.\]/.exec(command)?.[1] ?? null;
