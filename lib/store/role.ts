import { OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { identify, judge } from '../process/identity.ts';
import { orchestratorLockPath, orchestratorPath, orchestratorPidPath } from '../protocol/layout.ts';
import { type Identity, isIdentity } from '../protocol/status.ts';
import { writeDurably } from './durable.ts';
import { type Actor, audit } from './events.ts';
import { lockHolder, type Release, takeLock } from './lock.ts';
import { readDamaged } from './open.ts';
import { readPid, removeFile, writePid } from './signs.ts';

/**
 * The orchestrator's role. The lock says who may act now; `_orchestrator.json` says who goes on acting. A launcher
 * holds the lock, starts the background orchestrator, names it as heir in the file and only then lets go, so that
 * nobody else can step in between.
 */

type OrchestratorFile = {
  schema: 'orch.orchestrator/1';
  pid: number;
  identity: Identity;
  mode: 'attached' | 'detached';
  started_at: number;
  /** Set once it resigned; null while it works. */
  ended_at: number | null;
};

export type Orchestrator = OrchestratorFile & { alive: boolean | null };

/**
 * Who orchestrates, by the file and the process table; null if nobody ever did, or the file makes no sense.
 * @throws OrchError IO, UNSAFE_FOLDER where it cannot be read at all.
 */
export async function currentOrchestrator(root: string): Promise<Orchestrator | null> {
  const file = readDamaged(orchestratorPath(root), 65_536);
  // A torn file names nobody: the lock alone decides then.
  if (file === null || 'why' in file) return null;
  const value = parse(file.text);
  if (value === null) return null;
  if (value.ended_at !== null) return { ...value, alive: false };
  const verdict = await judge(value.pid, value.identity);
  return { ...value, alive: verdict === 'unknown' ? null : verdict === 'same' };
}

/** True while this one, which may have resigned already, has the role: it looks once more before it lets go. */
export async function hasRole(root: string, { pid }: Orchestrator): Promise<boolean> {
  const holder = lockHolder(orchestratorLockPath(root));
  if (holder === 'free' || holder === 'unknown' || holder.pid !== pid) return false;
  return (await judge(holder.pid, holder.identity)) === 'same';
}

function parse(text: string): OrchestratorFile | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    return isOrchestratorFile(value as Record<string, unknown>) ? (value as OrchestratorFile) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** As far as a damaged file could mislead: what it says is shown, and asked of the process table. */
function isOrchestratorFile({ pid, identity, mode, ended_at }: Record<string, unknown>): boolean {
  if (!Number.isSafeInteger(pid) || Number(pid) < 1 || !isIdentity(identity)) return false;
  return (mode === 'attached' || mode === 'detached') && (ended_at === null || typeof ended_at === 'number');
}

export type Role = {
  /** Makes this process the orchestrator in the file and the PID file. */
  announce(mode: 'attached' | 'detached'): Promise<void>;
  /** Names another process as the orchestrator to come. */
  bequeath(pid: number): Promise<void>;
  /** Says in the file that this process is about to end; `announce` takes it back. */
  resign(): Promise<void>;
  release: Release;
};

/**
 * Takes the right to launch, settle and change plans.
 * @throws OrchError BUSY with the pid of a live orchestrator.
 */
export async function takeRole(
  root: string,
  actor: Actor,
  boundMs: number,
  onLost?: (error: Error) => void,
): Promise<Role> {
  const release = await takeLock(
    orchestratorLockPath(root),
    onLost ? { boundMs, onLost } : { boundMs },
  ).catch((error: unknown) => {
    if (error instanceof OrchError && error.code === 'LOCK_HELD')
      throw busy(`an orch command is at work here: ${error.message}`, error);
    throw error;
  });
  try {
    failpoint('store.role.taken');
    const current = await currentOrchestrator(root);
    // The same number elsewhere (another container, another host) is another process: its verdict is `unknown`.
    const isSelf = current?.pid === process.pid && current.alive === true;
    if (current !== null && !isSelf && current.alive !== false) {
      throw busy(`an orchestrator is already at work (pid ${current.pid} on ${current.identity.host})`);
    }
  } catch (error) {
    await release();
    throw error;
  }
  let mine: OrchestratorFile | null = null;
  const put = async (file: OrchestratorFile): Promise<void> => {
    await writeDurably(orchestratorPath(root), `${JSON.stringify(file)}\n`);
  };
  return {
    async announce(mode) {
      mine = await describe(process.pid, mode);
      await put(mine);
      failpoint('store.role.named');
      await writePid(orchestratorPidPath(root), process.pid);
      audit(root, actor, { event: 'orchestrator', workstream: null, why: 'began to orchestrate', mode });
      failpoint('store.role.announced');
    },
    async bequeath(pid) {
      await put(await describe(pid, 'detached'));
      failpoint('store.role.bequeathed');
    },
    async resign() {
      if (mine === null) return;
      await put({ ...mine, ended_at: Date.now() / 1000 });
      if (readPid(orchestratorPidPath(root))?.pid === process.pid) removeFile(orchestratorPidPath(root));
      audit(root, actor, { event: 'orchestrator', workstream: null, why: 'nothing left to do' });
      failpoint('store.role.resigned');
    },
    release,
  };
}

async function describe(pid: number, mode: 'attached' | 'detached'): Promise<OrchestratorFile> {
  const identity = await identify(pid, '');
  if (identity === null) throw new OrchError('START_FAILED', `the orchestrator (pid ${pid}) ended at once`);
  return {
    schema: 'orch.orchestrator/1',
    pid,
    identity,
    mode,
    started_at: Date.now() / 1000,
    ended_at: null,
  };
}

function busy(message: string, cause?: unknown): OrchError {
  const hint = '`orch status` shows what runs, `orch reattach` watches it, `orch stop --all` ends it.';
  return new OrchError('BUSY', message, { hint, cause });
}
