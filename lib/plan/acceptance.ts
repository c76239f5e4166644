import type { Check } from '../protocol/plan.ts';
import {
  ENGLISH_PROGRAMS,
  ENGLISH_VALUES,
  KNOWN_PAIRS,
  PLAIN_ENGLISH,
  PROGRAMS,
} from './acceptance-words.ts';
import { shellWords, type Token } from './shell-words.ts';

/**
 * Tells commands from prose by the text alone, never by what is installed. A command begins with a known
 * program and goes on as commands do; in doubt it is prose: a sentence that is run can pass by accident.
 */

type Word = Extract<Token, { kind: 'word' }>;

const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;
const OPTION = /^(?:--?[A-Za-z0-9?]|--$|\+[A-Za-z])/;
const LETTERS = /^[A-Za-z]+(?:-[A-Za-z]+)*$/;
const ENDS_IN_PUNCTUATION = /^[A-Za-z]+[.,:;!?]+$/;
const EXTENSION = /[^./]\.[A-Za-z][A-Za-z0-9]*$/;
const TYPOGRAPHY = /[\u2013\u2014\u2018-\u201d\u2026\u2190-\u21ff\u2700-\u27bf]/;

/** Command or prose; see `classifyAcceptance`. */
export function classify(text: string, extraPrograms: readonly string[] = []): Check {
  return classifyAcceptance(text, extraPrograms).check;
}

/** `nearMiss`: it begins like a command and was read as prose for what follows. Never throws. */
export function classifyAcceptance(
  text: string,
  extraPrograms: readonly string[] = [],
): { check: Check; nearMiss: boolean } {
  const prose: Check = { kind: 'prose', text };
  const { tokens, open } = shellWords(text);
  const start = commandStart(tokens);
  const first = tokens[start];
  if (first?.kind !== 'word' || !isProgram(first, extraPrograms)) return { check: prose, nearMiss: false };
  const isSound = !open && isWellFormed(tokens) && isCommandLike(tokens.slice(start));
  if (!isSound) return { check: prose, nearMiss: true };
  return { check: { kind: 'command', text, run: text.trim() }, nearMiss: false };
}

/** Past `VAR=x`, `!` and `(`. */
function commandStart(tokens: readonly Token[]): number {
  const start = tokens.findIndex((token) => {
    if (token.kind === 'operator') return token.text !== '(';
    return token.text !== '!' && !ASSIGNMENT.test(token.text);
  });
  return start === -1 ? tokens.length : start;
}

function isProgram(word: Word, extraPrograms: readonly string[]): boolean {
  if (word.quoted) return false;
  return (
    (word.text.startsWith('./') && word.text !== './') ||
    PROGRAMS.has(word.text) ||
    extraPrograms.includes(word.text)
  );
}

const isRedirect = (token: Token | undefined): boolean =>
  token?.kind === 'operator' && /[<>]/.test(token.text);

/** Parentheses that a shell takes: paired, opened only where a command may begin; redirections with a target. */
function isWellFormed(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1];
    if (token.kind === 'word') {
      // `> 90% coverage` would make a file named `90%`.
      if (isRedirect(before) && /^\d/.test(token.text)) return false;
      continue;
    }
    if (token.text === '(' && before?.kind === 'word' && before.text !== '!') return false;
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** The simple commands of a line: its words between `|`, `&&`, `;` and the like. */
function simpleCommands(tokens: readonly Token[]): Token[][] {
  const commands: Token[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'operator' && !isRedirect(token)) commands.push([]);
    else commands.at(-1)?.push(token);
  }
  return commands;
}

function isCommandLike(tokens: readonly Token[]): boolean {
  const commands = simpleCommands(tokens);
  return commands.every((command, index) => {
    const words = command.slice(commandStart(command));
    const rest = words.slice(1);
    const program = words[0]?.text ?? '';
    if (index > 0 && words[0]?.kind === 'word' && !PROGRAMS.has(program) && isEnglish(words[0], ''))
      return false;
    if (rest.some((token, at) => token.kind === 'word' && isEnglish(token, program, rest[at - 1])))
      return false;
    return index > 0 || (followsLikeCommand(program, rest[0]) && !readsOn(program, rest));
  });
}

function isPair(program: string, word: string): boolean {
  const followers = KNOWN_PAIRS.get(program);
  if (followers === undefined) return false;
  // Targets are named after what they do: `make test-unit`.
  return followers.has(word) || (program === 'make' && followers.has(word.split(/[-_:]/)[0] ?? ''));
}

function isEnglish(word: Word, program: string, before?: Token): boolean {
  if (word.quoted || isPair(program, word.text)) return false;
  if (ENGLISH_VALUES.has(`${program} ${before?.text} ${word.text}`)) return false;
  if (PLAIN_ENGLISH.has(word.text.toLowerCase())) return true;
  return ENDS_IN_PUNCTUATION.test(word.text) || TYPOGRAPHY.test(word.text);
}

/** Nothing, an option, a path, quoted text, an operator or a known pair. */
function followsLikeCommand(program: string, next: Token | undefined): boolean {
  if (next === undefined || next.kind === 'operator' || next.quoted) return true;
  if (OPTION.test(next.text) || ASSIGNMENT.test(next.text) || isPair(program, next.text)) return true;
  if (program === 'test' || program === '[') return next.text === '!';
  return isPath(next.text) && (!ENGLISH_PROGRAMS.has(program) || isClearPath(next.text));
}

/** A path that could not be two words of a sentence, as `input/output` could. */
function isClearPath(text: string): boolean {
  return (
    /^(?:\.{0,2}\/|\.\w|\.{1,2}$)/.test(text) ||
    text.endsWith('/') ||
    EXTENSION.test(text) ||
    /[*]/.test(text)
  );
}

function isPath(text: string): boolean {
  return isClearPath(text) || (text.includes('/') && /\w/.test(text));
}

/** True where bare words follow each other as in a sentence: `git status tidy`, `pytest unit/e2e suites`. */
function readsOn(program: string, rest: readonly Token[]): boolean {
  return rest.some((token, index) => {
    if (token.kind !== 'word' || token.quoted || !LETTERS.test(token.text)) return false;
    const before = rest[index - 1];
    if (before?.kind !== 'word' || before.quoted || OPTION.test(before.text) || isPair(program, token.text)) {
      return false;
    }
    if (ENGLISH_PROGRAMS.has(program)) return /\w/.test(before.text) && token.text !== 'HEAD';
    return before.text.includes('/') && !isClearPath(before.text);
  });
}
