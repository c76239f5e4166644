import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commitCheckpoint } from '../../lib/git/checkpoint.ts';
import { prepareWorktree, removeWorktree } from '../../lib/git/worktree.ts';

/** Says that it is loaded, waits for a byte, then does what it is told again and again until it is killed. */
const [root = '', base = '', what = ''] = process.argv.slice(2);
const id = 'WS-1';

async function commit(): Promise<void> {
  const { path, checkpoint } = await prepareWorktree({ root, id, base, attempt: 2, fresh: false });
  let previous = checkpoint;
  for (;;) {
    const taskIndex = previous.done.length + 1;
    const digest = `digest-${taskIndex}`;
    await writeFile(join(path, `task ${taskIndex}`), digest);
    const task = { taskIndex, taskCount: 1000, digest, subject: digest };
    const fixed = { root, id, worktree: path, run: 'r', attempt: 2, base, exclude: [] };
    const made = await commitCheckpoint({ ...fixed, ...task, previous });
    process.stdout.write('made\n');
    previous = { tip: made.commit, base, done: [...previous.done, digest] };
  }
}

async function main(): Promise<void> {
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  if (what === 'checkpoint') return await commit();
  for (let attempt = 2; ; attempt += 1) {
    await prepareWorktree({ root, id, base, attempt, fresh: false });
    if (what === 'remove') await removeWorktree(root, id);
  }
}

await main();
