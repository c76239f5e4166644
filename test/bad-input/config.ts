import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from '../rig/repository.ts';
import { type Row, refuseAll, untouched } from './table.ts';

/** Faults of the config: nothing is launched on half of what it says. */

const YAML = 'orch.config.yaml';
const JSON_NAME = 'orch.config.json';

const FILES: [what: string, files: Record<string, string | Buffer>][] = [
  ['bad YAML', { [YAML]: 'restart: [1\n' }],
  ['bad JSON', { [JSON_NAME]: '{"restart": 1,, }' }],
  ['not UTF-8', { [YAML]: Buffer.from('# caf\u00e9\n', 'latin1') }],
  ['no object', { [YAML]: '- restart\n' }],
  ['an unknown field', { [YAML]: 'colour: blue\n' }],
  ['a field by another name', { [YAML]: 'maxParallel: 3\n' }],
  ['a number in words', { [YAML]: 'max_parallel: many\n' }],
  ['a number below its least', { [YAML]: 'max_parallel: 0\n' }],
  ['a bad duration', { [YAML]: 'timeout: soon\n' }],
  ['two of them', { [YAML]: 'restart: 1\n', [JSON_NAME]: '{}' }],
  ['a name that is not read', { 'orch.config.yml': 'restart: 1\n' }],
];

/** In a repository with a plan that is sound. */
export async function config(rig: Rig): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, files] of FILES) {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(rig.root, name), content);
    const refused = { what, args: ['launch'], exit: 2, code: 'CONFIG_INVALID' };
    rows.push(...(await untouched(rig, () => refuseAll(rig, [refused]))));
    for (const name of Object.keys(files)) rmSync(join(rig.root, name));
  }
  return rows;
}
