import { OrchError } from '../../errors.ts';
import { passGate, watchParent } from '../../process/gate.ts';
import { identify } from '../../process/identity.ts';
import { findKin, type Kin } from '../../process/kin.ts';
import type { ToolRequest } from '../../tools/adapter.ts';
import { adapterNamed } from '../../tools/registry.ts';
import { tailOf } from '../../tools/scratch-file.ts';
import type { Supervision } from '../../tools/supervise.ts';
import { type Job, readJob, writeResult } from './job.ts';
import { WORKSTREAM } from './marks.ts';
import { type Place, PROMPT, placeAt, TASK_FILES } from './place.ts';

/**
 * The program `node agent-probe.js <folder> <token>`: runs one tool once, as a worker does, with its output in two
 * files. It ends, with all that the tool started, when its parent does.
 */

const GRACE_MS = 2_000;

async function main(): Promise<void> {
  if (passGate() === 'closed') return;
  const [folder = '', token = ''] = process.argv.slice(2);
  const place = placeAt(folder);
  const job = readJob(folder);
  const stop = new AbortController();
  watchParent(() => stop.abort());
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const adapter = adapterNamed(job.tool);
  if (adapter === null) throw new OrchError('NO_TOOL', `there is no adapter ${job.tool}`);
  writeResult(folder, await adapter.run(requestOf(place, job, watch(place, job, token, stop.signal))));
}

function requestOf(place: Place, { env, settings }: Job, supervision: Supervision): ToolRequest {
  return {
    task: { kind: 'prompt', prompt: PROMPT, tool: null, timeoutMs: null, digest: 'probe', step: null },
    prompt: PROMPT,
    worktree: place.repository,
    scratch: place.scratch,
    env,
    settings,
    files: { ...TASK_FILES, isInside: (path) => path.startsWith('src/') },
    transcript: { read: () => ({ out: tailOf(place.out), err: tailOf(place.err) }) },
    supervision,
  };
}

function watch(place: Place, { timeoutMs, stallMs }: Job, token: string, stop: AbortSignal): Supervision {
  let toolSession: { pid: number; start_time: number } | null = null;
  const kin = async (): Promise<Kin[]> => {
    const [pid, identity] = [process.pid, await identify(process.pid, token)];
    const trace = { id: WORKSTREAM, pid, identity, toolSession, worktree: place.repository };
    const found = await findKin(place.repository, [{ ...trace, lastSignAt: Date.now() / 1_000 }]);
    return found.kin.filter(({ proof }) => proof !== 'worker');
  };
  const onStart = async (pid: number): Promise<void> => {
    const identity = await identify(pid, token);
    if (identity !== null) toolSession = { pid, start_time: identity.start_time };
  };
  return { timeoutMs, stallMs, graceMs: GRACE_MS, stop, kin, onStart, onSignal: () => undefined };
}

await main();
// A library may hold a timer or a socket for longer.
process.exit(0);
