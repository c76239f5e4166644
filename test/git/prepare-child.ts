import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withCheckpoint } from '../../lib/git/chain.ts';
import { commitCheckpoint } from '../../lib/git/checkpoint.ts';
import { prepareWorktree, removeWorktree } from '../../lib/git/worktree.ts';

/** Says that it is loaded, waits for a byte, then does what it is told again and again until it is killed. */
const [root = '', base = '', what = '', attempt = '2'] = process.argv.slice(2);
const id = 'WS-1';

async function commit(): Promise<void> {
  const { path, checkpoint } = await prepareWorktree({
    root,
    id,
    base,
    attempt: Number(attempt),
    fresh: false,
  });
  let previous = checkpoint;
  for (;;) {
    const taskIndex = previous.done.length + 1;
    const digest = `digest-${taskIndex}`;
    await writeFile(join(path, `task ${taskIndex}`), digest);
    if (what === 'scope')
      await writeFile(join(path, `outside ${attempt} ${taskIndex}`), `${attempt} ${taskIndex}`);
    const task = { taskIndex, taskCount: 1000, digest, subject: digest };
    const fixed = { root, id, worktree: path, run: 'r', attempt: Number(attempt), base, exclude: [] };
    const scope = { isInside: (name: string): boolean => name.startsWith('task'), takesOut: true };
    const made = await commitCheckpoint({
      ...fixed,
      ...task,
      previous,
      ...(what === 'scope' ? { scope } : {}),
    });
    process.stdout.write('made\n');
    previous = withCheckpoint(previous, { commit: made.commit, base, digest });
  }
}

async function main(): Promise<void> {
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  if (what === 'checkpoint' || what === 'scope') return await commit();
  for (let number = 2; ; number += 1) {
    await prepareWorktree({ root, id, base, attempt: number, fresh: false });
    if (what === 'remove') await removeWorktree(root, id);
  }
}

await main();
