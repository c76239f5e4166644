import { failpoint } from '../failpoint.ts';
import { spawnGated } from './spawn.ts';

export type BackgroundOrchestrator = {
  script: string;
  root: string;
  env: Record<string, string>;
  logPath: string;
  /** Runs while the orchestrator waits at its gate; if it fails, the orchestrator ends without having begun. */
  beforeOpen?: (pid: number) => Promise<void>;
};

/** Starts the background orchestrator in a session of its own; its pid. It takes the role by itself, or ends. */
export async function startOrchestrator(options: BackgroundOrchestrator): Promise<number> {
  const { script, root, env, logPath, beforeOpen } = options;
  const child = await spawnGated({
    script,
    args: ['_orchestrate', '--root', root],
    cwd: root,
    env,
    outPath: logPath,
    errPath: logPath,
    mode: 'detached',
  });
  try {
    failpoint('process.orchestrator.waits');
    await beforeOpen?.(child.pid);
    await child.open();
    failpoint('process.orchestrator.goes');
  } catch (error) {
    await child.abandon();
    throw error;
  }
  return child.pid;
}
