import { type Document, faultAt } from './document.ts';
import { quote } from './fault.ts';
import { judgeKey } from './fields.ts';
import { judgeKeys, type KeyFindings } from './keys.ts';
import { member, type Path, type Raw, type RawMap, textOf } from './raw.ts';

/** A workstream as it stands in a file, before its fields are judged. */
export type Entry = { document: Document; path: Path; map: RawMap; id: string | null };

const SHAPES = 'a workstream, a list of them, or {"workstreams": [...]}';

/** The workstreams of a file, in its order. Items that cannot be one are faults; so is a file with none. */
export function entriesOf(document: Document, found: KeyFindings): Entry[] {
  const { root } = document;
  if (root.kind === 'scalar') {
    found.faults.push(faultAt(document, [], 'wrong_type', `the file must hold ${SHAPES}`));
    return [];
  }
  if (root.kind === 'list') return listed(document, [], root.items, found);
  const workstreams = member(root, 'workstreams');
  if (workstreams === undefined) {
    if (!isMisnamedFile(root)) return [entry(document, [], root)];
    judgeKeys(document, [], root, 'file', found);
    return [];
  }
  judgeKeys(document, [], root, 'file', found);
  if (workstreams.kind === 'list') return listed(document, ['workstreams'], workstreams.items, found);
  const hint = 'Write [...], each workstream with its "id".';
  const message = '"workstreams" must be a list of workstreams';
  found.faults.push(faultAt(document, ['workstreams'], 'wrong_type', message, hint));
  return [];
}

/** True for `{"Workstreams": [...]}` and the like: no id, no work, but a list under a name that is close. */
function isMisnamedFile(root: RawMap): boolean {
  if (member(root, 'id') !== undefined) return false;
  return root.entries.some(({ key, value }) => {
    return value.kind === 'list' && judgeKey('file', key).kind === 'misnamed';
  });
}

function entry(document: Document, path: Path, map: RawMap): Entry {
  return { document, path, map, id: textOf(member(map, 'id')) };
}

function listed(document: Document, path: Path, items: readonly Raw[], found: KeyFindings): Entry[] {
  if (items.length === 0) {
    found.faults.push(faultAt(document, path, 'empty', 'the list holds no workstream'));
  }
  return items.flatMap((item, index) => {
    const place = [...path, index];
    if (item.kind === 'map') return [entry(document, place, item)];
    const shown = item.kind === 'list' ? 'a list' : quote(String(item.value));
    const message = `expected a workstream (an object with "id" and "tasks"), not ${shown}`;
    found.faults.push(faultAt(document, place, 'wrong_type', message));
    return [];
  });
}
