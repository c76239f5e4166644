import { OrchError } from '../errors.ts';
import { startOrchestrator } from '../process/background.ts';
import { orchestratorLogPath } from '../protocol/layout.ts';
import type { Actor } from './events.ts';
import { type Role, takeRole } from './role.ts';

/**
 * Starts a background orchestrator; its pid. It is named in the file before it begins, as a launcher does it, so that
 * nobody takes the time that it needs to begin for a time in which nobody orchestrates. Where somebody else has the
 * lock, or the disk is full, it goes without.
 * @throws OrchError START_FAILED where no process could be made.
 */
export async function startSuccessor(
  root: string,
  actor: Actor,
  { script, env }: { script: string; env: Record<string, string> },
): Promise<number> {
  const role = await orNull(takeRole(root, actor, 0));
  try {
    return await startOrchestrator({
      script,
      root,
      env,
      logPath: orchestratorLogPath(root),
      beforeOpen: async (pid) => void (await orNull(named(role, pid))),
    });
  } finally {
    await role?.release();
  }
}

async function named(role: Role | null, pid: number): Promise<void> {
  await role?.bequeath(pid);
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OrchError) return null;
    throw error;
  }
}
