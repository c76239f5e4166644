import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, onTestFailed } from 'vitest';
import { makeRepository, type Rig } from './repository.ts';

const open: Rig[] = [];

/** A repository for one test: ended after it, its logs shown if it failed. */
export function rigOf(...args: Parameters<typeof makeRepository>): Rig {
  const rig = makeRepository(...args);
  open.push(rig);
  onTestFailed(() => showLogs(rig.root));
  return rig;
}

afterEach(async () => {
  for (const rig of open.splice(0)) await rig.end();
});

function showLogs(root: string): void {
  for (const folder of ['.status', '.logs']) {
    if (!existsSync(join(root, folder))) continue;
    for (const name of readdirSync(join(root, folder))) {
      if (!/\.(json|log|err|ndjson)$/.test(name) || name === '_plan.json') continue;
      const text = readFileSync(join(root, folder, name), 'utf8').slice(-4_000);
      process.stderr.write(`--- ${folder}/${name}\n${text}\n`);
    }
  }
}
