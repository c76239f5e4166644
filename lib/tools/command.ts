import { taskText } from '../protocol/plan.ts';
import type { Outcome } from '../protocol/status.ts';
import type { Adapter } from './adapter.ts';
import { type Ended, NOT_FOUND, supervise } from './supervise.ts';

function outcomeOf(ended: Ended): Outcome {
  switch (ended.how) {
    case 'timeout':
      return 'timeout';
    case 'stalled':
      return 'stalled';
    case 'killed':
      return 'killed';
    case 'not_started':
      return 'not_installed';
    case 'exit':
      if (ended.exitCode === 0) return 'done';
      return ended.exitCode === NOT_FOUND ? 'not_installed' : 'error';
  }
}

/** Tasks `{run: …}`: the plan's own shell command, by `sh -c` in the worktree. */
export const command: Adapter = {
  name: 'command',
  isAgent: false,
  find: () => ({ usable: true, file: '/bin/sh' }),
  version: async () => null,
  run: async ({ task, worktree, env, supervision }) => {
    const ended = await supervise('/bin/sh', ['-c', taskText(task)], { cwd: worktree, env }, supervision);
    const { exitCode, signal, message } = ended;
    return { outcome: outcomeOf(ended), exitCode, signal, message, usage: null, retryAfterSeconds: null };
  },
};
