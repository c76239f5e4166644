import { type Ended, supervise } from '../tools/supervise.ts';
import { type Attempt, environmentOf, supervisionOf, taskTimeoutMs } from './attempt.ts';
import { watchingRefs } from './moved-refs.ts';

/** What a shell answers where SIGKILL or SIGTERM ended a command of its own. */
const ENDED_BY_SIGNAL: ReadonlySet<number | null> = new Set([128 + 9, 128 + 15]);

/**
 * Runs a `setup` or an acceptance test of the plan in `worktree`. Once more where a signal ended it that was not this
 * worker's: a lack of memory, say, tells nothing of the work.
 */
export async function runShell(attempt: Attempt, run: string, worktree: string): Promise<Ended> {
  const once = (): Promise<Ended> => {
    const supervision = supervisionOf(attempt, taskTimeoutMs(attempt, null));
    const how = { cwd: worktree, env: environmentOf(attempt) };
    return watchingRefs(attempt, () => supervise('/bin/sh', ['-c', run], how, supervision));
  };
  const ended = await once();
  const isEnded = ended.how === 'exit' && (ended.signal !== null || ENDED_BY_SIGNAL.has(ended.exitCode));
  if (!isEnded || attempt.life.interruption() !== null) return ended;
  process.stdout.write(`orch: ${ended.message}: somebody else than orch ended it, so it is run once more\n`);
  return once();
}
