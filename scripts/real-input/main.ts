import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findAstGrep } from '../../lib/cli/demo/ast-grep.ts';
import { checkScopes, runMaterial } from './material.ts';
import { surviveKills } from './ordeal.ts';
import { planText, workstreams } from './plan.ts';
import { killAll } from './processes.ts';
import { makeLodashRepository } from './repository.ts';
import { check, type Score, tell } from './score.ts';
import { verify } from './verify.ts';

/**
 * `npm run real-input [-- --keep] [--material-only] [--orch FILE]`: lodash from the npm registry, refactored by nine
 * workstreams while launcher, orchestrator and a worker are killed. Last line: `N passed, N failed`.
 */

const BUILT = fileURLToPath(new URL('../../dist/orch.js', import.meta.url));

const { values: options } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    'material-only': { type: 'boolean', default: false },
    orch: { type: 'string', default: BUILT },
  },
});
const score: Score = { passed: 0, failed: 0 };
const temp = realpathSync(mkdtempSync(join(tmpdir(), 'orch-real-input-')));
const root = join(temp, 'lodash');

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    cleanUp();
    process.exit(130);
  });
}

main().then(finish, (error: unknown) => {
  check(score, 'runs to its end', false, error instanceof Error ? error.stack : String(error));
  finish();
});

async function main(): Promise<void> {
  if (process.platform !== 'linux') throw new Error('needs /proc, to see whom it kills and what is left');
  const start = performance.now();
  const planned = workstreams(await findAstGrep());
  await makeLodashRepository(root);
  const planPath = join(temp, 'orch.plan.yaml');
  writeFileSync(planPath, planText(planned));
  tell(start, `lodash is a repository at ${root}`);
  if (options['material-only']) return runMaterial(root, planned, score);
  if (!existsSync(options.orch)) throw new Error(`${options.orch} is missing: npm run build`);
  await checkScopes(root, planned, score);
  const ordeal = await surviveKills({ orch: options.orch, root, planPath, start, score });
  await verify({ root, planned, ordeal, score });
  tell(start, 'done');
}

function finish(): void {
  cleanUp();
  process.stdout.write(`${score.passed} passed, ${score.failed} failed\n`);
  process.exitCode = score.failed > 0 || score.passed === 0 ? 1 : 0;
}

/** Ends what this run started, whatever happened, and removes its folder unless `--keep`. */
function cleanUp(): void {
  if (process.platform === 'linux') killAll(root);
  if (options.keep) process.stdout.write(`kept: ${temp}\n`);
  else rmSync(temp, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
