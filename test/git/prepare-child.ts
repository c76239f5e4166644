import { prepareWorktree, removeWorktree } from '../../lib/git/worktree.ts';

/** Says that it is loaded, waits for a byte, then does what it is told again and again until it is killed. */
const [root = '', base = '', what = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  for (let attempt = 2; ; attempt += 1) {
    await prepareWorktree({ root, id: 'WS-1', base, attempt, fresh: false });
    if (what === 'remove') await removeWorktree(root, 'WS-1');
  }
}

await main();
