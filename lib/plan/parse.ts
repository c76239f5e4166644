import { extname } from 'node:path';
import { type Document, lineStartsOf, type Parsed, placeAt } from './document.ts';
import { type Fault, printable } from './fault.ts';
import { parseJson } from './json.ts';
import { type PlanFile, readPlanText } from './text.ts';
import { parseYaml } from './yaml.ts';

/** Beyond this, the YAML parser takes many seconds. */
const MAX_YAML_BYTES = 1024 * 1024;

export type DocumentResult = { ok: true; document: Document } | { ok: false; faults: Fault[] };

/** One plan file, parsed; or what keeps it from being so. */
export async function readDocument(file: PlanFile, maxBytes: number): Promise<DocumentResult> {
  const read = await readPlanText(file, isYaml(file.path) ? Math.min(maxBytes, MAX_YAML_BYTES) : maxBytes);
  return read.ok ? parseDocument(file, read.text) : { ok: false, faults: [read.fault] };
}

/** The text of a plan file as a document; the extension chooses the reader. */
export function parseDocument(file: PlanFile, text: string): DocumentResult {
  const parsed = readerOf(file.path)(text);
  const lineStarts = lineStartsOf(text);
  if (parsed.ok) return { ok: true, document: { ...file, root: parsed.root, lineStarts } };
  const faults = parsed.faults.map(({ offset, code, message, hint }) => ({
    file: file.file,
    ...placeAt(lineStarts, offset),
    code,
    message: printable(message),
    hint: hint === null ? null : printable(hint),
  }));
  return { ok: false, faults };
}

function readerOf(path: string): (text: string) => Parsed {
  return isYaml(path) ? parseYaml : parseJson;
}

function isYaml(path: string): boolean {
  return ['.yaml', '.yml'].includes(extname(path).toLowerCase());
}
