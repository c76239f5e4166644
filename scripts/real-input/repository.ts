import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CHECKS } from './checks.ts';
import { CODEMODS } from './codemods.ts';
import { git, output } from './shell.ts';

const PACKAGE = 'lodash@4.17.21';

/** Fetches lodash from the npm registry and makes it a git repository at `root`: package, codemods and checks. */
export async function makeLodashRepository(root: string): Promise<void> {
  const temp = dirname(root);
  const [packed] = JSON.parse(await output(temp, 'npm', 'pack', PACKAGE, '--json', '--silent'));
  await mkdir(root);
  await output(temp, 'tar', '-xzf', join(temp, packed.filename), '-C', root, '--strip-components=1');
  for (const [path, text] of Object.entries({ ...CODEMODS, ...CHECKS })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  await git(root, 'init', '--quiet', '--initial-branch=main', '--template=');
  await git(root, 'add', '--all');
  await git(root, 'commit', '--quiet', `--message=${PACKAGE} as published`);
}
