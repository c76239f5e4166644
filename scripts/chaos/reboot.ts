import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signalVerified } from '../../lib/process/kill.ts';
import { listProcesses } from '../../lib/process/system.ts';
import type { Action } from '../../lib/proof/chaos/action.ts';
import { placeBystanders } from '../../lib/proof/chaos/bystanders.ts';
import { listOurs } from '../../lib/proof/chaos/processes.ts';
import { killOne } from '../../lib/proof/chaos/signals.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * As if the machine was started again: in a PID namespace of the round, everything in it dies at once, and the boot id
 * is another one.
 */
export const REBOOT: Action = {
  name: 'reboot',
  weight: 2,
  decide() {
    const run = async (stage: Stage): Promise<void> => {
      for (const one of await listOurs(stage.mark)) await killOne(stage, one);
      for (let rounds = 0; rounds < 20; rounds += 1) {
        const others = (await listProcesses()).filter(
          ({ pid, zombie }) => pid > 1 && pid !== process.pid && !zombie,
        );
        const mortal = others.filter(({ command }) => !/tsx|esbuild|unshare|one-round/.test(command));
        if (mortal.length === 0) break;
        for (const { pid, startTime } of mortal) await signalVerified(pid, startTime, 'SIGKILL');
      }
      stage.bystanders.clear();
      stage.frozen.clear();
      const file = join(stage.shop.aside, 'boot-id');
      writeFileSync(file, `${randomUUID()}\n`);
      execFileSync('mount', ['--bind', file, BOOT_ID]);
      stage.cleanup.push(() => void execFileSync('umount', ['--lazy', BOOT_ID]));
      count(stage.tally.deeds, 'reboot');
      stage.note('rebooted');
      await placeBystanders(stage);
    };
    return { what: 'reboot', run };
  },
};
