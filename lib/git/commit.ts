import { git } from './run.ts';

const NAME = 'orch';
const EMAIL = 'orch@localhost';

/** Who and when, where a commit must come out the same each time it is made. `date`: git's raw format. */
export type FixedIdentity = { date: string };

/** Makes a commit object; no ref, index or file is touched. Durable once a ref that was synced names it. */
export async function commitTree(
  root: string,
  commit: { tree: string; parents: readonly string[]; message: string; fixed?: FixedIdentity },
): Promise<string> {
  const parents = [...new Set(commit.parents)].flatMap((parent) => ['-p', parent]);
  const env = commit.fixed ? fixedEnvironment(commit.fixed) : await fallbackIdentity(root);
  const { stdout } = await git(root, ['commit-tree', commit.tree, ...parents, '-F', '-'], {
    input: commit.message,
    env,
  });
  return stdout.trim();
}

/** The tree of a commit. */
export async function treeOf(root: string, commit: string): Promise<string> {
  return (await git(root, ['rev-parse', '--verify', '--quiet', `${commit}^{tree}`])).stdout.trim();
}

function fixedEnvironment({ date }: FixedIdentity): Record<string, string> {
  return {
    GIT_AUTHOR_NAME: NAME,
    GIT_AUTHOR_EMAIL: EMAIL,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: NAME,
    GIT_COMMITTER_EMAIL: EMAIL,
    GIT_COMMITTER_DATE: date,
  };
}

/** Stands in only for what the user has not configured: an environment variable would win over their config. */
async function fallbackIdentity(root: string): Promise<Record<string, string>> {
  const args = [
    'config',
    '--null',
    '--name-only',
    '--get-regexp',
    '^(user|author|committer)\\.(name|email)$',
  ];
  const { stdout } = await git(root, args, { answers: [1] });
  const has = (who: string, what: string): boolean => {
    const keys = stdout.split('\0');
    return keys.includes(`${who}.${what}`) || keys.includes(`user.${what}`);
  };
  const env: Record<string, string> = {};
  for (const who of ['author', 'committer']) {
    const prefix = `GIT_${who.toUpperCase()}`;
    if (!has(who, 'name')) env[`${prefix}_NAME`] = NAME;
    if (!has(who, 'email') && !process.env['EMAIL']) env[`${prefix}_EMAIL`] = EMAIL;
  }
  return env;
}
