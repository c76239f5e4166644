import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { listRefs } from '../git/refs.ts';
import { commonDirOf } from '../git/repository.ts';
import { git, splitNul } from '../git/run.ts';
import { BRANCH_PREFIX } from '../protocol/layout.ts';
import type { Checkout } from './evidence.ts';

/** The user's side of a repository as it is now: what orch must never touch. */
export async function snapshot(root: string): Promise<Checkout> {
  const say = async (...args: string[]): Promise<string> => (await git(root, args)).stdout;
  const symbolic = await git(root, ['symbolic-ref', '--quiet', 'HEAD'], { answers: [1] });
  const { refs } = await listRefs(root, ['refs/heads', 'refs/tags', 'refs/notes', 'refs/remotes']);
  const listed = await say('ls-files', '-z', '--cached', '--others', '--exclude-standard');
  const commonDir = await commonDirOf(root);
  const hooks = join(commonDir, 'hooks');
  return {
    head: `${symbolic.stdout.trim()} ${(await say('rev-parse', 'HEAD')).trim()}`,
    refs: Object.fromEntries([...refs].filter(([name]) => !name.startsWith(`refs/heads/${BRANCH_PREFIX}`))),
    stashes: lines(await say('stash', 'list', '--format=%H %gs')),
    index: await say('ls-files', '--stage'),
    status: await say('status', '--porcelain'),
    files: Object.fromEntries(splitNul(listed).map((path) => [path, hashOf(join(root, path))])),
    hooks: Object.fromEntries(namesIn(hooks).map((name) => [name, hashOf(join(hooks, name))])),
    config: readFileSync(join(commonDir, 'config'), 'utf8'),
  };
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Names in a folder, sorted; an absent folder holds none. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What a file is, in one word: a hash with its mode, the target of a link, or its kind. */
function hashOf(path: string): string {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'absent';
  if (stats.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
  if (!stats.isFile()) return 'no file';
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
  return `${(stats.mode & 0o777).toString(8)} ${hash}`;
}
