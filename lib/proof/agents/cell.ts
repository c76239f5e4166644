import { rmSync } from 'node:fs';
import { OrchError } from '../../errors.ts';
import { findKin } from '../../process/kin.ts';
import { spawnGated } from '../../process/spawn.ts';
import { createToken } from '../../process/system.ts';
import type { Outcome } from '../../protocol/status.ts';
import type { ToolResult } from '../../tools/adapter.ts';
import { tailOf } from '../../tools/scratch-file.ts';
import type { Met } from '../model-server/met.ts';
import type { Mode } from '../model-server/modes.ts';
import { startModelServer } from '../model-server/server.ts';
import { readResult, writeJob } from './job.ts';
import { probeEnvironment } from './marks.ts';
import { EDITS, furnish, lookAt, makePlace, type Place } from './place.ts';
import type { Subject } from './subjects.ts';

/** One run of one tool against a server in one mode. */
export type Cell = {
  subject: string;
  mode: Mode;
  /** After a look with git: a tool that says `done` and changed nothing is `no_change`. */
  outcome: Outcome;
  /** What the tool said of itself. */
  result: ToolResult;
  changed: ReturnType<typeof lookAt>;
  seconds: number;
  asked: readonly Met[];
  /** Processes that carry its marks although its run is over. */
  left: readonly { pid: number; command: string }[];
  /** The last of what it printed, for who has to look. */
  out: string;
  err: string;
};

export type CellOptions = {
  /** The built `agent-probe.js`. */
  probe: string;
  person: NodeJS.ProcessEnv;
  timeoutMs: number;
  stallMs: number;
  signal?: AbortSignal;
};

/**
 * Runs it in a temporary repository with a home of its own, and removes both. Throws where the probe itself fails, which
 * says nothing about the tool.
 */
export async function runCell(
  { name, tool, connect }: Subject,
  mode: Mode,
  options: CellOptions,
): Promise<Cell> {
  const { person, timeoutMs, stallMs } = options;
  const server = await startModelServer({ modes: [mode], edits: EDITS });
  const place = makePlace();
  try {
    const token = createToken();
    const connection = connect(server.url, place.home);
    furnish(place, connection);
    const env = { ...probeEnvironment(person, place, token), ...connection.env };
    writeJob(place.folder, { tool, settings: connection.settings, env, timeoutMs, stallMs });
    const begun = performance.now();
    await runChild(place, env, token, options);
    const seconds = (performance.now() - begun) / 1_000;
    const [out, err] = [tailOf(place.out), tailOf(place.err)];
    const result = readResult(place.folder);
    if (result === null)
      throw new OrchError(
        'SPAWN_FAILED',
        `the probe of ${name} ended without a result: ${err.slice(-2_000)}`,
      );
    const changed = lookAt(place);
    const outcome = result.outcome === 'done' && changed === 'nothing' ? 'no_change' : result.outcome;
    const left = (await findKin(place.repository, [])).kin.map(({ pid, command }) => ({ pid, command }));
    return { subject: name, mode, outcome, result, changed, seconds, asked: server.asked(), left, out, err };
  } finally {
    await server.close();
    rmSync(place.folder, { recursive: true, force: true });
  }
}

/** To its end. When it is to stop, it gets the time to end what it started. */
async function runChild(
  place: Place,
  env: Record<string, string>,
  token: string,
  options: CellOptions,
): Promise<void> {
  const { probe, signal } = options;
  const child = await spawnGated({
    script: probe,
    args: [place.folder, token],
    cwd: place.folder,
    env,
    outPath: place.out,
    errPath: place.err,
    mode: 'attached',
  });
  const stop = (): void => void child.abandon();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await child.open();
    if (signal?.aborted === true) stop();
    const staysAwake = setInterval(() => undefined, 60_000);
    await child.exited.finally(() => clearInterval(staysAwake));
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
