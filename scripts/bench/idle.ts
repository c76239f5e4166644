import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findKin } from '../../lib/process/kin.ts';
import { type GatedChild, spawnGated } from '../../lib/process/spawn.ts';
import { createToken } from '../../lib/process/system.ts';
import { cpuSecondsOf } from '../../lib/process/usage.ts';
import { writeJob } from '../../lib/proof/agents/job.ts';
import { probeEnvironment } from '../../lib/proof/agents/marks.ts';
import { EDITS, furnish, makePlace, type Place } from '../../lib/proof/agents/place.ts';
import { SUBJECTS, type Subject } from '../../lib/proof/agents/subjects.ts';
import { type ModelServer, startModelServer } from '../../lib/proof/model-server/server.ts';
import { findProgram } from '../../lib/tools/find-program.ts';
import { env } from './repository.ts';

/**
 * What idle programs use: node programs with nothing but a timer, and the agents of `scripts/agents/install.sh` while
 * they wait for a server that never answers, all at the same time. It is what the bound of a stall (`lib/tools/bounds.ts`)
 * must lie above. CPU is counted as the bound counts it: of all processes, in seconds of the kernel.
 */

const PROBE = join(import.meta.dirname, '../../dist/agent-probe.js');
const BIN = join(process.env['ORCH_AGENTS_DIR'] ?? join(homedir(), '.cache/orch-agents'), 'bin');
const person = { ...env, PATH: `${BIN}:${env['PATH'] ?? ''}` };

const ASKED_BOUND_MS = 120_000;
/** After the first question: what a program does because it has just begun is no idling. */
const SETTLE_MS = 15_000;
/** As often as the bound looks, with the stall timeout that is the default. */
const LOOK_MS = 30_000;
/** As in `lib/tools/bounds.ts`. */
const BUSY_PERCENT = 3;
const NEVER_MS = 3_600_000;
const TIMERS_MS = [1_000, 100, 16];

type Idle = { name: string; pids: () => Promise<number[]>; end: () => Promise<void> };

function timer(everyMs: number): Idle {
  const child = spawn(process.execPath, ['-e', `setInterval(() => {}, ${everyMs})`], {
    stdio: 'ignore',
    env,
  });
  const pids = async (): Promise<number[]> => (child.pid === undefined ? [] : [child.pid]);
  return { name: `node, timer of ${everyMs} ms`, pids, end: async () => void child.kill('SIGKILL') };
}

/** Null where the agent is not there, or asks nothing. */
async function agent(subject: Subject): Promise<Idle | null> {
  const { name, tool, connect } = subject;
  // The direct API is no program: the worker itself waits.
  if (tool === 'llm') return null;
  if (!findProgram(tool, person).usable) {
    console.log(`${name}: not measured, it is not on PATH (scripts/agents/install.sh)`);
    return null;
  }
  const server = await startModelServer({ modes: ['never'], edits: EDITS });
  const place = makePlace();
  const connection = connect(server.url, place.home);
  furnish(place, connection);
  const token = createToken();
  const own = { ...probeEnvironment(person, place, token), ...connection.env };
  const { settings } = connection;
  writeJob(place.folder, { tool, settings, env: own, timeoutMs: NEVER_MS, stallMs: NEVER_MS });
  const { folder: cwd, out: outPath, err: errPath } = place;
  const child = await spawnGated({
    script: PROBE,
    args: [cwd, token],
    cwd,
    env: own,
    outPath,
    errPath,
    mode: 'attached',
  });
  await child.open();
  const idle = { name, pids: () => toolsOf(place, child), end: () => endAgent(place, child, server) };
  if (await hasAsked(server)) return idle;
  console.log(`${name}: not measured, it asked nothing within ${ASKED_BOUND_MS / 1_000} s`);
  await idle.end();
  return null;
}

/** By its marks, without the probe that watches it. */
async function toolsOf({ repository }: Place, { pid: probe }: GatedChild): Promise<number[]> {
  const { kin } = await findKin(repository, []);
  return kin.map(({ pid }) => pid).filter((pid) => pid !== probe);
}

/** The probe ends what it started when its parent seems to be gone. */
async function endAgent({ folder }: Place, child: GatedChild, server: ModelServer): Promise<void> {
  await child.abandon();
  const awake = setInterval(() => undefined, 60_000);
  await child.exited.finally(() => clearInterval(awake));
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}

async function hasAsked(server: ModelServer): Promise<boolean> {
  const until = performance.now() + ASKED_BOUND_MS;
  while (server.asked().length === 0) {
    if (performance.now() > until) return false;
    await sleep(200);
  }
  return true;
}

/** Percent of a core, look by look; null once it has ended. */
async function measure({ pids }: Idle, looks: number): Promise<(number | null)[]> {
  const rates: (number | null)[] = [];
  let before = { seconds: await cpuSecondsOf(await pids()), at: performance.now() };
  for (let look = 0; look < looks; look += 1) {
    await sleep(LOOK_MS);
    const alive = await pids();
    const now = { seconds: await cpuSecondsOf(alive), at: performance.now() };
    // The time of a process that ended is its parent's from then on, or nobody's.
    const used = Math.max(0, now.seconds - before.seconds);
    rates.push(alive.length === 0 ? null : (100 * used * 1_000) / (now.at - before.at));
    before = now;
  }
  return rates;
}

/** When, since its first question, a look met as much as the bound calls work: such a look begins the time anew. */
function show(name: string, rates: readonly (number | null)[]): string {
  const told = rates.filter((rate) => rate !== null);
  if (told.length === 0) return `${name}: ended before it could be measured`;
  const mean = told.reduce((sum, rate) => sum + rate, 0) / told.length;
  const sorted = [...told].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const secondsAt = (look: number): number => (SETTLE_MS + look * LOOK_MS) / 1_000;
  const busy = told.flatMap((rate, at) => (rate >= BUSY_PERCENT ? [secondsAt(at + 1)] : []));
  const above =
    busy.length === 0
      ? `never ${BUSY_PERCENT} % or more`
      : `${BUSY_PERCENT} % or more in ${busy.length} looks, at ${busy.join(', ')} s`;
  const ended = told.length < rates.length ? `; ended by itself after ${secondsAt(told.length)} s` : '';
  const figures = [mean, median, sorted.at(-1) ?? 0].map((rate) => rate.toFixed(1));
  return `${name}: mean ${figures[0]}, median ${figures[1]}, most ${figures[2]} % of a core; ${above}${ended}`;
}

/** Measures all of them, or those agents that `only` names, for `seconds`, and prints what each used. */
export async function benchIdle(seconds: number, only: readonly string[]): Promise<void> {
  const looks = Math.max(1, Math.round((seconds * 1_000) / LOOK_MS));
  const subjects = SUBJECTS.filter(({ name }) => only.length === 0 || only.includes(name));
  const agents = await Promise.all(subjects.map(agent));
  const all = [...TIMERS_MS.map(timer), ...agents.filter((one) => one !== null)];
  try {
    console.log(`${all.length} idle programs at once, ${looks} looks of ${LOOK_MS / 1_000} s`);
    await sleep(SETTLE_MS);
    const rates = await Promise.all(all.map((idle) => measure(idle, looks)));
    for (const [index, { name }] of all.entries()) console.log(show(name, rates[index] ?? []));
  } finally {
    await Promise.all(all.map(({ end }) => end()));
  }
}
