import type { ProcessInfo } from '../../process/info.ts';
import { signalVerified } from '../../process/kill.ts';
import { listProcesses } from '../../process/system.ts';
import { ENV } from '../../protocol/layout.ts';

/** Every process of a round has this variable, by which the round finds those that it may kill. */
export const ROUND_MARK = 'ORCH_CHAOS';

/** What a process of ours is, as its command line tells. */
export type Role = 'launcher' | 'orchestrator' | 'worker' | 'tool' | 'git' | 'command';

export type Ours = { pid: number; startTime: number; role: Role; verb: string; stopped: boolean };

/** All living processes with the mark of this round, this one left out. */
export async function listOurs(mark: string): Promise<Ours[]> {
  const all = await listProcesses({ detail: true });
  return all.flatMap((info) => {
    // Where no environment can be seen, the folder of the round in the command line tells.
    const isOurs = info.environ === null ? info.command.includes(mark) : info.environ[ROUND_MARK] === mark;
    if (info.zombie || info.pid === process.pid || !isOurs) return [];
    const { pid, startTime, stopped } = info;
    return [{ pid, startTime, stopped, ...roleOf(info) }];
  });
}

function roleOf({ command, environ }: ProcessInfo): { role: Role; verb: string } {
  const words = command.split(' ');
  const script = words.findIndex((word) => /\/(?:orch|worker)\.js$/.test(word));
  const verb = words[script + 1] ?? '';
  if (script >= 0 && script <= 2) {
    if (words[script]?.endsWith('/worker.js') === true) return { role: 'worker', verb: 'worker' };
    if (verb === '_orchestrate') return { role: 'orchestrator', verb };
    return { role: verb === 'launch' || verb === 'run' ? 'launcher' : 'command', verb };
  }
  const name = words[0]?.split('/').at(-1) ?? '';
  if (name.startsWith('git')) return { role: 'git', verb: words[1] ?? '' };
  return { role: environ?.[ENV.workstream] === undefined ? 'command' : 'tool', verb: name };
}

/** Sends a signal to exactly this process; false if it is gone. */
export async function hit(target: Ours, signal: NodeJS.Signals): Promise<boolean> {
  return (await signalVerified(target.pid, target.startTime, signal)) === 'sent';
}

const ROUNDS_MAX = 40;

/** Ends all processes of the round, again until none is left: one may start another in between. True if so. */
export async function endOurs(mark: string, spare: ReadonlySet<number> = new Set()): Promise<boolean> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const left = (await listOurs(mark)).filter(({ pid }) => !spare.has(pid));
    if (left.length === 0) return true;
    for (const one of left) await hit(one, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
