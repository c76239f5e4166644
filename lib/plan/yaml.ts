import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument } from 'yaml';
import type { Parsed, SyntaxFault } from './document.ts';
import { quote } from './fault.ts';
import { repeatedKey } from './json.ts';
import {
  type Entry,
  MAX_DEPTH,
  MAX_WEIGHT,
  type Raw,
  rawList,
  rawMap,
  rawScalar,
  type Scalar,
} from './raw.ts';
import { tooDeepAt } from './yaml-depth.ts';

const PLAIN_TAG = /^tag:yaml\.org,2002:(str|int|float|bool|null|seq|map)$/;
const OPTIONS = {
  schema: 'core',
  resolveKnownTags: false,
  // Quadratic in the parser; told by `entriesOf` instead.
  uniqueKeys: false,
  stringKeys: true,
  prettyErrors: false,
} as const;

/** `merged`: entries that `<<` has brought in so far. */
type Walk = { anchors: Map<string, Raw>; faults: SyntaxFault[]; merged: number };

/** Beyond this, merge keys are a bomb like aliases. */
const MAX_MERGED = 500_000;

/** Reads one YAML document, aliases and merge keys (`<<`) written out. Never throws. */
export function parseYaml(text: string): Parsed {
  const deep = tooDeepAt(text);
  if (deep !== null) return { ok: false, faults: [tooDeep(deep)] };
  const document = parseDocument(text, OPTIONS);
  const first = document.errors.sort((a, b) => a.pos[0] - b.pos[0])[0];
  if (first !== undefined) return { ok: false, faults: [syntaxFault(first)] };
  if (document.contents === null) {
    const hint = 'Write a workstream, a list of them, or "workstreams:" and a list.';
    return { ok: false, faults: [{ offset: 0, code: 'empty', message: 'the file holds no value', hint }] };
  }
  const walk: Walk = { anchors: new Map(), faults: [], merged: 0 };
  const root = rawOf(document.contents, 0, walk);
  if (root.height > MAX_DEPTH) walk.faults.push(tooDeep(root.offset));
  if (root.weight > MAX_WEIGHT) walk.faults.push(tooHeavy(root.offset));
  return walk.faults.length > 0 ? { ok: false, faults: walk.faults } : { ok: true, root };
}

function tooDeep(offset: number): SyntaxFault {
  const message = `expected at most ${MAX_DEPTH} levels of nesting`;
  return { offset, code: 'too_deep', message, hint: null };
}

function tooHeavy(offset: number): SyntaxFault {
  const message = 'too much text once the aliases (*name) are written out';
  return { offset, code: 'too_large', message, hint: null };
}

function syntaxFault(error: { code: string; message: string; pos: [number, number] }): SyntaxFault {
  const hint =
    error.code === 'MULTIPLE_DOCS'
      ? 'Write one list of workstreams, or one file for each.'
      : 'Put text that holds ": ", " #" or starts with a special character in quotes.';
  const message = `not valid YAML: ${error.message.replace(/\s+/g, ' ')}`;
  return { offset: error.pos[0], code: 'syntax', message, hint };
}

function rawOf(node: Node, offsetOfNothing: number, walk: Walk): Raw {
  const offset = node.range?.[0] ?? offsetOfNothing;
  if (isAlias(node)) return { ...aliased(node.source, offset, walk), offset };
  // `! grep x` would be read as `grep x`, the opposite test.
  if (node.tag !== undefined && !PLAIN_TAG.test(node.tag)) {
    const message = `the YAML tag ${quote(node.tag)} is not read here`;
    walk.faults.push({ offset, code: 'syntax', message, hint: 'Put text that begins with "!" in quotes.' });
  }
  const raw = rawOfContent(node, offset, walk);
  if ('anchor' in node && typeof node.anchor === 'string') walk.anchors.set(node.anchor, raw);
  return raw;
}

function rawOfContent(node: Node, offset: number, walk: Walk): Raw {
  if (isSeq(node)) {
    const items = node.items.map((item) => (item === null ? null : rawOf(item as Node, offset, walk)));
    return rawList(
      offset,
      items.map((item) => item ?? rawScalar(offset, null)),
    );
  }
  if (isMap(node))
    return rawMap(offset, entriesOf(node.items as Pair<Node | null, Node | null>[], offset, walk));
  return rawScalar(offset, isScalar(node) ? scalarOf(node.value) : null);
}

function scalarOf(value: unknown): Scalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return value === null || value === undefined ? null : String(value);
}

function aliased(name: string, offset: number, walk: Walk): Raw {
  const raw = walk.anchors.get(name);
  if (raw !== undefined && raw.height <= MAX_DEPTH && raw.weight <= MAX_WEIGHT) return raw;
  const message = `the alias *${printableName(name)} names no anchor before it`;
  const hint = 'Write the anchor (&name) before its first use, and not around it.';
  walk.faults.push(raw === undefined ? { offset, code: 'syntax', message, hint } : tooHeavy(offset));
  return rawScalar(offset, null);
}

function printableName(name: string): string {
  return quote(name).slice(1, -1);
}

function entriesOf(pairs: Pair<Node | null, Node | null>[], offset: number, walk: Walk): Entry[] {
  const entries = new Map<string, Entry>();
  const merged: Entry[] = [];
  for (const pair of pairs) {
    const keyOffset = pair.key?.range?.[0] ?? offset;
    const key = isScalar(pair.key) ? String(pair.key.value ?? '') : '';
    const value = pair.value === null ? rawScalar(keyOffset, null) : rawOf(pair.value, keyOffset, walk);
    if (key === '<<' && isScalar(pair.key) && pair.key.type === 'PLAIN') {
      for (const entry of mergedEntries(value, walk)) merged.push(entry);
    } else if (entries.has(key)) walk.faults.push(repeatedKey(keyOffset, key));
    else entries.set(key, { key, offset: keyOffset, value });
  }
  for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
  return [...entries.values()];
}

/** What `<<` brings in; of several maps the first wins. */
function mergedEntries(value: Raw, walk: Walk): Entry[] {
  const items = value.kind === 'list' ? value.items : [value];
  const maps = items.flatMap((item) => (item.kind === 'map' ? [item] : []));
  if (maps.length === items.length) {
    walk.merged += maps.reduce((sum, map) => sum + map.entries.length, 0);
    if (walk.merged <= MAX_MERGED) return maps.flatMap((map) => map.entries);
    // Told once, where it went too far.
    if (!walk.faults.some(({ code }) => code === 'too_large')) walk.faults.push(tooHeavy(value.offset));
    return [];
  }
  const message = '"<<" must be a map or a list of maps';
  walk.faults.push({ offset: value.offset, code: 'wrong_type', message, hint: null });
  return [];
}
