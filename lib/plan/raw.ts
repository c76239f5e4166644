/** The form that every reader of plan files yields: plain values that still know where they stood. */

export type Scalar = string | number | boolean | null;
export type Entry = { key: string; offset: number; value: Raw };
type Extent = {
  /** UTF-16 units from the start of the text. */
  offset: number;
  /** Levels of lists and maps, this one included. */
  height: number;
  /** Values and characters once every YAML alias is written out. */
  weight: number;
};
export type RawMap = Extent & { kind: 'map'; entries: Entry[] };
export type RawList = Extent & { kind: 'list'; items: Raw[] };
export type RawScalar = Extent & { kind: 'scalar'; value: Scalar };
export type Raw = RawMap | RawList | RawScalar;

export type Path = readonly (string | number)[];

/** Deeper nesting is a fault: no plan needs it, and every later walk may recurse. */
export const MAX_DEPTH = 100;
/** Expanded YAML beyond this is an alias bomb. */
export const MAX_WEIGHT = 16 * 1024 * 1024;

function heightOver(children: readonly Raw[]): number {
  return 1 + children.reduce((most, child) => Math.max(most, child.height), 0);
}

export function rawScalar(offset: number, value: Scalar): RawScalar {
  const weight = 1 + (typeof value === 'string' ? value.length : 0);
  return { kind: 'scalar', offset, value, height: 0, weight };
}

export function rawList(offset: number, items: Raw[]): RawList {
  const weight = items.reduce((sum, item) => sum + item.weight, 1);
  return { kind: 'list', offset, items, height: heightOver(items), weight };
}

export function rawMap(offset: number, entries: Entry[]): RawMap {
  const weight = entries.reduce((sum, entry) => sum + entry.key.length + entry.value.weight, 1);
  const height = heightOver(entries.map((entry) => entry.value));
  return { kind: 'map', offset, entries, height, weight };
}

/** The value under `key`, or undefined. */
export function member(map: RawMap, key: string): Raw | undefined {
  return map.entries.find((entry) => entry.key === key)?.value;
}

/** The text, where it is one; else null. */
export function textOf(raw: Raw | undefined): string | null {
  return raw?.kind === 'scalar' && typeof raw.value === 'string' ? raw.value : null;
}

/** The texts of a list, each behind its index; nothing of what is no list. */
export function textsIn(raw: Raw | undefined): [number, string][] {
  if (raw?.kind !== 'list') return [];
  return raw.items.flatMap((item, index): [number, string][] => {
    const text = textOf(item);
    return text === null ? [] : [[index, text]];
  });
}

/** The value as plain data. Maps have no prototype, so that keys such as `__proto__` are only keys. */
export function plain(raw: Raw): unknown {
  switch (raw.kind) {
    case 'scalar':
      return raw.value;
    case 'list':
      return raw.items.map(plain);
    case 'map': {
      const result: Record<string, unknown> = Object.create(null);
      for (const entry of raw.entries) result[entry.key] = plain(entry.value);
      return result;
    }
  }
}

/** Offset of what `path` names: its value, or with `key` the key before it; else its nearest ancestor. */
export function offsetAt(root: Raw, path: Path, want: 'value' | 'key' = 'value'): number {
  let here = root;
  let offset = root.offset;
  for (const part of path) {
    if (here.kind === 'map') {
      const entry = here.entries.find((candidate) => candidate.key === part);
      if (entry === undefined) return offset;
      offset = want === 'key' ? entry.offset : entry.value.offset;
      here = entry.value;
    } else {
      const item = here.kind === 'list' && typeof part === 'number' ? here.items[part] : undefined;
      if (item === undefined) return offset;
      offset = item.offset;
      here = item;
    }
  }
  return offset;
}

/** JSON with sorted keys and without the keys that begin with `_`, save those of `env`. */
export function canonicalJson(raw: Raw, keepsUnderscore = false): string {
  switch (raw.kind) {
    case 'scalar':
      return JSON.stringify(raw.value);
    case 'list':
      return `[${raw.items.map((item) => canonicalJson(item)).join(',')}]`;
    case 'map': {
      const kept = raw.entries.filter((entry) => keepsUnderscore || !entry.key.startsWith('_'));
      kept.sort((a, b) => (a.key < b.key ? -1 : 1));
      const members = kept.map((e) => `${JSON.stringify(e.key)}:${canonicalJson(e.value, e.key === 'env')}`);
      return `{${members.join(',')}}`;
    }
  }
}
