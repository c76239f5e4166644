import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, type TestContext } from 'vitest';
import { makeRepository, type Rig } from './repository.ts';

type Arguments = Parameters<typeof makeRepository>;

/** A repository for one test: ended after it, its logs shown if it failed. */
export function rigOf(...args: Arguments): Rig {
  return endWith(onTestFinished, makeRepository(...args));
}

/** As `rigOf`, for tests that run concurrently: only their own context knows which one is over. */
export function rigFor(context: Pick<TestContext, 'onTestFinished'>, ...args: Arguments): Rig {
  return endWith(context.onTestFinished, makeRepository(...args));
}

function endWith(finished: TestContext['onTestFinished'], rig: Rig): Rig {
  finished(async ({ task }) => {
    if (task.result?.state === 'fail') showLogs(rig.root);
    await rig.end();
  });
  return rig;
}

/** Shows what a repository's workers and its orchestrator left in their files. */
export function showLogs(root: string): void {
  for (const folder of ['.status', '.logs']) {
    if (!existsSync(join(root, folder))) continue;
    for (const name of readdirSync(join(root, folder))) {
      if (!/\.(json|log|err|ndjson)$/.test(name) || name === '_plan.json') continue;
      // A test may have put anything there.
      if (!lstatSync(join(root, folder, name)).isFile()) continue;
      const text = readFileSync(join(root, folder, name), 'utf8').slice(-4_000);
      process.stderr.write(`--- ${folder}/${name}\n${text}\n`);
    }
  }
}
