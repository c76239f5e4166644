import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ORCH, personEnvironment, type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** Commands whose reader goes away, as in `orch run | head -1`. */

type Unread = { isOver: () => boolean; code: Promise<number | null> };

/** Starts `orch …args` with nobody at the other end of its stdout, nor, with `both`, of its stderr. */
function unread(rig: Rig, args: readonly string[], both = false): Unread {
  const child = spawn(process.execPath, [ORCH, ...args], {
    cwd: rig.root,
    env: personEnvironment({ ORCH_STATE_HOME: join(rig.aside, 'state') }),
    stdio: ['ignore', 'pipe', both ? 'pipe' : 'ignore'],
  });
  child.stdout?.destroy();
  child.stderr?.destroy();
  onTestFinished(() => void child.kill('SIGKILL'));
  let isOver = false;
  const code = new Promise<number | null>((resolve) => {
    child.once('exit', (exit) => {
      isOver = true;
      resolve(exit);
    });
  });
  return { isOver: () => isOver, code };
}

/** A workstream that ends as `end` says once the file is there. */
const held = (rig: Rig, id: string, end: string) => ({
  id,
  tasks: [{ run: `until test -f '${rig.aside}/go-${id}'; do sleep 0.05; done; ${end}` }],
});

describe('a command that nobody reads', () => {
  it('watches to the end, and says by its exit code how that was', { timeout: 120_000 }, async () => {
    const rig = rigOf();
    rig.write('plan.json', JSON.stringify([held(rig, 'A', 'exit 3')]));
    const run = unread(rig, ['run', '--detached', '--wait', '--restart', '0', 'plan.json'], true);
    await until(() => rig.status('A') === 'running', { what: 'A to run' });
    const watching = [run, unread(rig, ['reattach']), unread(rig, ['wait', '--json'])];
    // Whoever ends at its first line would be over once another has looked and told.
    const told = await rig.orch(['wait', '--timeout', '3s']);
    expect([told.code, watching.map(({ isOver }) => isOver())]).toEqual([4, [false, false, false]]);
    writeFileSync(join(rig.aside, 'go-A'), '');
    expect(await Promise.all(watching.map(({ code }) => code))).toEqual([1, 1, 1]);
    expect(rig.status('A')).toBe('failed');
  });

  it('ends with its own code where all is over before it writes', { timeout: 120_000 }, async () => {
    const rig = rigOf([
      { id: 'A', tasks: [{ run: 'true' }] },
      { id: 'B', tasks: [{ run: 'exit 3' }] },
    ]);
    expect(await unread(rig, ['run', '--restart', '0'], true).code).toBe(1);
    expect(await unread(rig, ['wait', 'A']).code).toBe(0);
    expect(await unread(rig, ['wait'], true).code).toBe(1);
    expect(await unread(rig, ['run', '--detached', '--wait', '--only', 'A', '--fresh'], true).code).toBe(0);
    expect(existsSync(join(rig.root, '.worktrees/A'))).toBe(true);
  });

  it('ends with 0 where it only shows', async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'echo hello; exit 3' }] }]);
    await rig.orch(['run', '--restart', '0']);
    const shows = [['status'], ['status', '--watch'], ['logs', '-f'], ['plan'], ['schema']];
    expect(await Promise.all(shows.map((args) => unread(rig, args).code))).toEqual(shows.map(() => 0));
  });
});
