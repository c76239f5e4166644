import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Action, chosen } from '../../lib/proof/chaos/action.ts';
import { note } from '../../lib/proof/chaos/bystanders.ts';
import { personEnvironment } from '../../lib/proof/chaos/command.ts';
import { listOurs, type Role } from '../../lib/proof/chaos/processes.ts';
import { killOne } from '../../lib/proof/chaos/signals.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';

/** The number of one who was killed goes to a stranger: in a PID namespace, by `ns_last_pid`. */

const LAST_PID = '/proc/sys/kernel/ns_last_pid';
const ROLES = [
  'worker',
  'worker',
  'orchestrator',
  'launcher',
  'command',
  'tool',
] as const satisfies readonly Role[];
const TRIES = 40;

/** A stranger with exactly this number; false where the kernel does not give it away, or others are quicker. */
async function giveTo(stage: Stage, pid: number): Promise<boolean> {
  for (let tries = 0; tries < 200 && existsSync(`/proc/${pid}`); tries += 1) await sleep(5);
  for (let tries = 0; tries < TRIES; tries += 1) {
    writeFileSync(LAST_PID, String(pid - 1));
    const stranger = spawn('sleep', ['900'], {
      cwd: stage.shop.root,
      detached: true,
      stdio: 'ignore',
      env: personEnvironment(),
    });
    if (stranger.pid === pid) {
      await note(stage, pid, 'a stranger with the number of the dead');
      return true;
    }
    stranger.kill('SIGKILL');
  }
  return false;
}

export const REUSE_PID: Action = {
  name: 'pid-reuse',
  weight: 8,
  decide(random) {
    const role = random.pick(ROLES);
    const at = random.between(0, 999);
    const run = async (stage: Stage): Promise<void> => {
      const target = chosen(
        (await listOurs(stage.mark)).filter((one) => one.role === role),
        at,
      );
      if (target === undefined) return;
      await killOne(stage, target);
      if (!(await giveTo(stage, target.pid))) return;
      count(stage.tally.deeds, 'PID reused');
      stage.note(`a stranger has ${target.pid} now`);
    };
    return { what: `reuse the number of a ${role}`, run };
  },
};
