import { git } from './run.ts';

export type BranchCommit = { hash: string; at: number; subject: string };

const FIELD = '\u001f';
/** git's answer where a ref or a commit is not there. */
const NO_SUCH_REF = 128;

/** The last commits of a branch beyond `base`, newest first; none where there is no such branch. */
export async function branchCommits(
  root: string,
  branch: string,
  base: string | null,
  most: number,
): Promise<BranchCommit[]> {
  const format = `--format=%h${FIELD}%ct${FIELD}%s`;
  const range = [`refs/heads/${branch}`, ...(base === null ? [] : [`^${base}`])];
  const args = ['log', format, `--max-count=${most}`, '--end-of-options', ...range, '--'];
  const { code, stdout } = await git(root, args, { answers: [NO_SUCH_REF], timeoutMs: 10_000 });
  if (code !== 0) return [];
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [hash = '', at = '0', subject = ''] = line.split(FIELD);
      return { hash, at: Number(at), subject };
    });
}
