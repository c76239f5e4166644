import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What all measurements share: a repository, and the program that was built. */

export const ORCH = join(import.meta.dirname, '../../dist/orch.js');
export const env = { ...process.env };
// It costs 50 ms a start on Node 20 and is no part of what is measured.
delete env['NODE_EXTRA_CA_CERTS'];

/** A repository with a plan of `ids` workstreams, each with the one task `run`. */
export function makeRepository(ids: number, run: string): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'orch-bench-')));
  const git = (...args: string[]): void => {
    execFileSync('git', ['-C', root, '-c', 'user.name=B', '-c', 'user.email=b@localhost', ...args], {
      env,
      stdio: 'ignore',
    });
  };
  const workstreams = Array.from({ length: ids }, (_, index) => ({
    id: `WS-${index + 1}`,
    tasks: [{ run }],
  }));
  writeFileSync(join(root, 'orch.plan.json'), JSON.stringify({ workstreams }));
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message=start');
  return root;
}

/** Runs the built program to its end; its stdout. */
export function orch(root: string, ...args: string[]): string {
  return execFileSync(process.execPath, [ORCH, ...args, '--root', root], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
