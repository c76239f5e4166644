import { OrchError } from '../errors.ts';
import type { Done } from '../orchestrate/act.ts';
import { orchestrate, PERMISSIONS } from '../orchestrate/loop.ts';
import { newMemory } from '../orchestrate/observe.ts';
import { passGate } from '../process/gate.ts';
import type { Actor } from '../store/events.ts';
import { currentOrchestrator, type Role, takeRole } from '../store/role.ts';
import { tolerateLog } from '../store/tolerate-log.ts';

const ROLE_BOUND_MS = 30_000;

/**
 * The background orchestrator: takes the role, works until nothing is left to do, and ends. Where somebody else
 * has the role it ends quietly: one is enough.
 */
export async function orchestrateInBackground(root: string): Promise<number> {
  const stop = new AbortController();
  // It holds no state that is not on disk: a polite signal ends it between two actions.
  process.on('SIGTERM', () => stop.abort());
  process.on('SIGINT', () => stop.abort());
  process.on('SIGHUP', () => undefined);
  if (passGate() === 'closed') return 0;
  tolerateLog();
  const actor: Actor = { role: 'orchestrator', pid: process.pid };
  const log = (text: string): void =>
    void process.stdout.write(`orch: ${new Date().toISOString()} ${text}\n`);
  try {
    const onLost = (error: Error): void => {
      log(`lost the role: ${error.message}`);
      stop.abort();
    };
    const role = await inherit(root, actor, onLost, stop.signal);
    log(`orchestrating as pid ${process.pid}`);
    const memory = newMemory();
    const onDone = tellChanges(log);
    try {
      await orchestrate(
        { root, permissions: PERMISSIONS.orchestrate, mode: 'detached', actor, memory, onDone },
        role,
        stop.signal,
      );
    } finally {
      await role.release();
    }
    log('nothing left to do');
    return 0;
  } catch (error) {
    if (error instanceof OrchError && error.code === 'BUSY') {
      log(error.message);
      return 0;
    }
    throw error;
  }
}

/** Waits on while the file names this process as the heir: its launcher may stand still with the lock in hand. */
async function inherit(
  root: string,
  actor: Actor,
  onLost: (error: Error) => void,
  stop: AbortSignal,
): Promise<Role> {
  for (;;) {
    try {
      return await takeRole(root, actor, ROLE_BOUND_MS, onLost);
    } catch (error) {
      const isBusy = error instanceof OrchError && error.code === 'BUSY';
      if (!isBusy || stop.aborted) throw error;
      const named = await currentOrchestrator(root);
      if (named?.pid !== process.pid || named.alive !== true) throw error;
    }
  }
}

/** Tells what was done; what cannot be done is tried at each tick, and told when that changes. */
function tellChanges(log: (text: string) => void): (done: Done) => void {
  const told = new Map<string, string>();
  return ({ action, ok, note }) => {
    const what = `${action.type} ${action.id ?? ''}`;
    const result = `${ok ? 'done' : 'not done'} ${note}`;
    if (!ok && told.get(what) === result) return;
    told.set(what, result);
    log(`${what} ${result}`);
  };
}
