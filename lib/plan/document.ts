import { type Fault, type FaultCode, printable } from './fault.ts';
import { offsetAt, type Path, type Raw } from './raw.ts';

/** A plan file once it is parsed; every reader (JSON, YAML, Markdown) yields one. */
export type Document = {
  /** For messages, as seen from the working folder. */
  file: string;
  /** For the frozen plan, as seen from the root. */
  source: string;
  /** Absolute. */
  path: string;
  root: Raw;
  lineStarts: readonly number[];
};

/** What a parser of text says: a tree, or the faults that keep it from being one. */
export type Parsed = { ok: true; root: Raw } | { ok: false; faults: SyntaxFault[] };
export type SyntaxFault = { offset: number; code: FaultCode; message: string; hint: string | null };

/** Offsets at which lines begin. */
export function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Line and column from 1, the column in UTF-16 units, as editors count. */
export function placeAt(lineStarts: readonly number[], offset: number): { line: number; column: number } {
  let low = 0;
  let high = lineStarts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 };
}

/** A fault at what `path` names in the document; `want` says whether its key or its value is at fault. */
export function faultAt(
  document: Document,
  path: Path,
  code: FaultCode,
  message: string,
  hint: string | null = null,
  want: 'value' | 'key' = 'value',
): Fault {
  const place = placeAt(document.lineStarts, offsetAt(document.root, path, want));
  return {
    file: document.file,
    ...place,
    code,
    message: printable(message),
    hint: hint === null ? null : printable(hint),
  };
}
