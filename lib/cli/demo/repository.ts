import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { OrchError } from '../../errors.ts';
import { findAstGrep } from './ast-grep.ts';
import { TOOLING } from './codemods.ts';
import { SHOP } from './shop.ts';
import { SHOP_TESTS } from './shop-tests.ts';
import { WORKSTREAMS } from './workstreams.ts';

const run = promisify(execFile);
const PLAN = 'orch.plan.yaml';

const HEADER = `# The plan of this repository's refactor. Each task is a command, so that no agent and no key is needed;
# AST_GREP is the codemod tool that came with orch.
`;

/**
 * Makes a git repository with one commit in `dir` (made if missing, refused with `USAGE` unless empty): a small
 * code base whose tests pass, and the plan of its refactor. `workstreams`: their ids in plan order.
 * Throws `NO_TOOL` before anything is written. Killed in between, it leaves a folder that nothing refers to.
 */
export async function makeDemoRepository(dir: string): Promise<{ planPath: string; workstreams: string[] }> {
  const astGrep = await findAstGrep();
  await mkdir(dir, { recursive: true });
  if ((await readdir(dir)).length > 0) {
    throw new OrchError('USAGE', `${dir} is not empty`, { hint: 'Name a folder that does not exist yet.' });
  }
  const planPath = join(dir, PLAN);
  const files = { ...SHOP, ...SHOP_TESTS, ...TOOLING, [PLAN]: planText(astGrep) };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  await commitAll(dir, 'Corner shop 1.4.0');
  return { planPath, workstreams: WORKSTREAMS.map(({ id }) => id) };
}

function planText(astGrep: string): string {
  const workstreams = WORKSTREAMS.map((workstream) => ({ ...workstream, env: { AST_GREP: astGrep } }));
  return HEADER + stringify({ workstreams }, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Makes `dir` a repository on branch `main`; the user's templates, hooks, keys and settings have no say. */
async function commitAll(dir: string, message: string): Promise<void> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  const git = (...args: string[]) =>
    run('git', args, { cwd: dir, env: { ...env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' } });
  await git('init', '--quiet', '--initial-branch=main', '--template=');
  await git('add', '--all');
  const who = ['-c', 'user.name=orch demo', '-c', 'user.email=demo@orch.invalid'];
  await git(...who, 'commit', '--quiet', `--message=${message}`);
}
