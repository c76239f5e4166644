import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Parsed, SyntaxFault } from './document.ts';
import { quote } from './fault.ts';
import { type Entry, MAX_DEPTH, type Raw, rawList, rawMap, rawScalar, type Scalar } from './raw.ts';

/** `SyntaxKind` of jsonc-parser is a const enum, which isolated modules cannot read. */
const OPEN_BRACE = 1;
const CLOSE_BRACE = 2;
const OPEN_BRACKET = 3;
const CLOSE_BRACKET = 4;
const END = 17;
/** `ParseErrorCode`, likewise. */
const VALUE_EXPECTED = 4;

const EXPECTED: Readonly<Record<string, string>> = {
  PropertyNameExpected: 'a key in double quotes',
  ValueExpected: 'a value: text in double quotes, a number, a list [...] or an object {...}',
  ColonExpected: '":" after the key',
  CommaExpected: '","',
  CloseBraceExpected: '"}"',
  CloseBracketExpected: '"]"',
  EndOfFileExpected: 'nothing more after the value',
  UnexpectedEndOfComment: '"*/" at the end of the comment',
  UnexpectedEndOfString: "a double quote at the text's end, on the same line",
  UnexpectedEndOfNumber: 'a number',
  InvalidUnicode: 'four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after a backslash',
  InvalidCharacter: 'no control characters in text',
  InvalidSymbol: 'a value: text in double quotes, a number, true, false, null, [...] or {...}',
};

/** Reads JSON that may hold comments. Never throws; the first syntax fault is the only one told. */
export function parseJson(text: string): Parsed {
  const deep = tooDeepAt(text);
  if (deep !== null) return { ok: false, faults: [deep] };
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: false });
  const first = errors.sort((a, b) => a.offset - b.offset)[0];
  if (first?.error === VALUE_EXPECTED && createScanner(text, true).scan() === END) {
    return { ok: false, faults: [nothingAt(text)] };
  }
  if (first !== undefined) return { ok: false, faults: [syntaxFault(text, first)] };
  if (tree === undefined) return { ok: false, faults: [nothingAt(text)] };
  const repeated: SyntaxFault[] = [];
  const root = rawOf(tree, repeated);
  return repeated.length > 0 ? { ok: false, faults: repeated } : { ok: true, root };
}

/** The parser recurses, and a stack overflow near a regular expression ends the process: look first. */
function tooDeepAt(text: string): SyntaxFault | null {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let kind: number = scanner.scan(); kind !== END; kind = scanner.scan()) {
    if (kind === OPEN_BRACE || kind === OPEN_BRACKET) depth += 1;
    else if (kind === CLOSE_BRACE || kind === CLOSE_BRACKET) depth -= 1;
    if (depth > MAX_DEPTH) {
      const message = `expected at most ${MAX_DEPTH} levels of nesting`;
      return { offset: scanner.getTokenOffset(), code: 'too_deep', message, hint: null };
    }
  }
  return null;
}

function nothingAt(text: string): SyntaxFault {
  const hint = 'Write a workstream, a list of them, or {"workstreams": [...]}.';
  return { offset: text.length, code: 'empty', message: 'the file holds no value', hint };
}

function syntaxFault(text: string, error: ParseError): SyntaxFault {
  const rest = text.slice(error.offset);
  const name = printParseErrorCode(error.error);
  const found = rest === '' ? 'the end of the file' : quote(rest.slice(0, Math.max(1, error.length)));
  const message = `not valid JSON: expected ${EXPECTED[name] ?? name}, found ${found}`;
  return { offset: error.offset, code: 'syntax', message, hint: hintFor(text, error.offset) };
}

function hintFor(text: string, offset: number): string | null {
  const before = text.slice(0, offset).trimEnd();
  const next = text.charAt(offset);
  if (before.endsWith(',') && (next === '}' || next === ']')) return 'Take out the comma before it.';
  if (before.endsWith('{'))
    return 'Braces hold "key": value pairs; a list is written [...], a value has no braces.';
  if (next === "'") return 'JSON wants double quotes.';
  return null;
}

function rawOf(node: Node, repeated: SyntaxFault[]): Raw {
  const children = node.children ?? [];
  if (node.type === 'array') {
    return rawList(
      node.offset,
      children.map((child) => rawOf(child, repeated)),
    );
  }
  if (node.type !== 'object') return rawScalar(node.offset, node.value as Scalar);
  const entries: Entry[] = [];
  const seen = new Set<string>();
  for (const property of children) {
    const [name, value] = property.children ?? [];
    if (name === undefined || value === undefined) continue;
    const key = String(name.value);
    if (seen.has(key)) repeated.push(repeatedKey(name.offset, key));
    seen.add(key);
    entries.push({ key, offset: name.offset, value: rawOf(value, repeated) });
  }
  return rawMap(node.offset, entries);
}

/** A key that stands twice in one object: which of the two counts is a guess. */
export function repeatedKey(offset: number, key: string): SyntaxFault {
  const hint = 'Keep one of the two.';
  return { offset, code: 'duplicate_key', message: `the key ${quote(key)} stands twice in one object`, hint };
}
