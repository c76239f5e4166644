import { setTimeout as sleep } from 'node:timers/promises';
import type { Action } from '../../lib/proof/chaos/action.ts';
import { ROUND_MARK } from '../../lib/proof/chaos/processes.ts';
import { later, type Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';
import { makeSshHost, type SshHost } from '../../test/rig/ssh.ts';

const hosts = new WeakMap<Stage, SshHost>();

/** A real sshd for the round, in a network namespace of its own. */
export async function startSshd(stage: Stage): Promise<void> {
  const host = await makeSshHost();
  hosts.set(stage, host);
  stage.cleanup.push(() => host.end());
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Somebody gives a command over SSH, and the network goes. */
export const SSH_DROP: Action = {
  name: 'ssh-drop',
  weight: 5,
  decide(random) {
    const verb = random.pick(['launch', 'reattach', 'run', 'run --detached --wait'] as const);
    const afterMs = random.between(300, 2_500);
    const forMs = random.between(100, 4_000);
    const run = async (stage: Stage): Promise<void> => {
      const host = hosts.get(stage);
      if (host === undefined) return;
      const { root } = stage.shop;
      const env = `env ${ROUND_MARK}=${stage.mark} PATH=${quote(process.env['PATH'] ?? '')} NO_COLOR=1`;
      const command = `${env} ${quote(process.execPath)} ${quote(stage.orch)} ${verb} --root ${quote(root)}`;
      host.session(command);
      count(stage.tally.deeds, 'SSH session');
      stage.note(`over SSH: orch ${verb}`);
      const drop = async (): Promise<void> => {
        await sleep(afterMs);
        host.pullNetwork();
        stage.note('the network is gone');
        count(stage.tally.deeds, 'SSH drop');
        await sleep(forMs);
        host.plugNetwork();
      };
      later(stage, drop());
    };
    return { what: `SSH: orch ${verb}, dropped after ${afterMs} ms`, run };
  },
};
