import { OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { type GatedChild, spawnGated } from './spawn.ts';

export type BackgroundOrchestrator = {
  script: string;
  root: string;
  env: Record<string, string>;
  logPath: string;
  /** Runs while the orchestrator waits at its gate; if it fails, the orchestrator ends without having begun. */
  beforeOpen?: (pid: number) => Promise<void>;
};

/**
 * Starts the background orchestrator in a session of its own; its pid. It takes the role by itself, or ends.
 * @throws OrchError START_FAILED where no process could be made.
 */
export async function startOrchestrator(options: BackgroundOrchestrator): Promise<number> {
  const { beforeOpen } = options;
  const child = await spawnOrchestrator(options);
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

async function spawnOrchestrator({
  script,
  root,
  env,
  logPath,
}: BackgroundOrchestrator): Promise<GatedChild> {
  try {
    const args = ['_orchestrate', '--root', root];
    return await spawnGated({
      script,
      args,
      cwd: root,
      env,
      outPath: logPath,
      errPath: logPath,
      mode: 'detached',
    });
  } catch (cause) {
    if (!(cause instanceof OrchError) || cause.code !== 'SPAWN_FAILED') throw cause;
    const hint = `${cause.hint ?? 'Mend that.'} Then run \`orch reattach\`.`;
    throw new OrchError('START_FAILED', `nobody orchestrates: ${cause.message}`, { hint, cause });
  }
}
