import { type Document, faultAt } from '../plan/document.ts';
import { type Fault, quote } from '../plan/fault.ts';
import type { Path, RawMap } from '../plan/raw.ts';
import { nearNames } from '../protocol/near.ts';
import { CONFIG_FIELDS } from './schema.ts';

const LOOKS_SECRET = /key|token|secret|password/i;

/** Faults of keys that are no field. What looks like a secret is told as such, and its value never shown. */
export function keyFaults(document: Document, map: RawMap): Fault[] {
  return map.entries.flatMap(({ key, value }) => {
    if (CONFIG_FIELDS.includes(key)) return [];
    const inside = value.kind === 'map' ? secretsIn(document, [key], value) : [];
    return inside.length > 0 ? inside : [keyFault(document, [key], map)];
  });
}

function keyFault(document: Document, path: Path, holder: RawMap): Fault {
  const key = String(path.at(-1));
  if (isSecret(holder, key)) return secretFault(document, path);
  const near = nearNames(key.replaceAll('-', '_'), CONFIG_FIELDS);
  const hint =
    near.length > 0
      ? `Did you mean ${near.map(quote).join(' or ')}?`
      : `There are ${CONFIG_FIELDS.filter((name) => name !== '$schema').join(', ')}.`;
  return faultAt(document, path, 'unknown_field', `${quote(key)} is not a field of the config`, hint, 'key');
}

/** A name that says secret, with a value that could be one. */
function isSecret(holder: RawMap, key: string): boolean {
  const value = holder.entries.find((entry) => entry.key === key)?.value;
  return LOOKS_SECRET.test(key) && value?.kind === 'scalar' && value.value !== null && value.value !== '';
}

function secretsIn(document: Document, path: Path, map: RawMap): Fault[] {
  return map.entries.flatMap(({ key, value }) => {
    const here = [...path, key];
    if (value.kind === 'map') return secretsIn(document, here, value);
    return isSecret(map, key) ? [secretFault(document, here)] : [];
  });
}

function secretFault(document: Document, path: Path): Fault {
  const message = `${quote(String(path.at(-1)))} looks like a secret, which a config must not hold`;
  const hint =
    'Put NAME=value into a file that git ignores, name the file in "env_file" and the variable in "require_env".';
  return faultAt(document, path, 'secret', message, hint, 'key');
}
