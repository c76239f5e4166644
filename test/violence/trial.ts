import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { snapshot } from '../../lib/proof/checkout.ts';
import type { Bystander, Evidence } from '../../lib/proof/evidence.ts';
import { gather } from '../../lib/proof/gather.ts';
import { type LedgerEntry, parseLedger } from '../../lib/proof/ledger.ts';
import type { Wish } from '../../lib/proof/material.ts';
import { watch } from '../../lib/proof/watch.ts';
import { makeWorkshop, releaseTask, type Workshop } from '../../lib/proof/workshop.ts';
import { isAlive, type Rig, rigAt, signal, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/** A life of a workshop under one build of orch, and the evidence of it. */
export type Trial = Workshop & {
  rig: Rig;
  dist: string;
  /** Lets tasks with `wait:NAME` go on. */
  release(name: string): void;
  /** Waits until such a note is in the ledger. */
  untilNoted(note: Partial<LedgerEntry>): Promise<LedgerEntry>;
  /** One `orch reattach` and one `orch reap`, each within the bound; true if both came to an end. */
  recover(): Promise<boolean>;
  evidence(how: { recovered: boolean; reaped: boolean }): Promise<Evidence>;
  /** Processes that orch must leave alone. */
  bystanders: Bystander[];
};

export const BOUND_MS = 90_000;
const RESTARTS = 2;
const RECOVERY_BOUND_MS = 45_000;
const CONFIG = JSON.stringify({ heartbeat_interval: '500ms', stop_grace: '2s' });

/** Makes a workshop and watches it; all ends with the test. */
export async function beginTrial(
  context: Pick<TestContext, 'onTestFinished'>,
  dist: string,
  wishes: readonly Wish[],
): Promise<Trial> {
  const workshop = makeWorkshop(wishes);
  const { root, aside, asked } = workshop;
  const rig = rigAt(root, dist);
  rig.write('orch.config.json', CONFIG);
  const before = await snapshot(root);
  const watching = watch(
    root,
    asked.map(({ id }) => id),
    { recordsEveryMs: 20, processesEveryMs: 500 },
  );
  context.onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') showLogs(root);
    await watching.stop();
    await rig.end();
  });
  const bystanders: Bystander[] = [];
  const ledger = (): LedgerEntry[] => parseLedger(readFileSync(join(aside, 'ledger'), 'utf8'));
  return {
    ...workshop,
    rig,
    dist,
    bystanders,
    release: (name) => releaseTask(workshop, name),
    untilNoted: (note) => {
      const fits = (entry: LedgerEntry): boolean =>
        Object.entries(note).every(([field, value]) => entry[field as keyof LedgerEntry] === value);
      return until(() => ledger().find(fits), { what: JSON.stringify(note), boundMs: BOUND_MS });
    },
    recover: async () => (await ends(rig, 'reattach')) && (await ends(rig, 'reap')),
    evidence: async (how) => {
      const seen = await watching.stop();
      return gather({ root, aside, asked, before, restartLimit: RESTARTS, bystanders, seen, ...how });
    },
  };
}

/** True if the command ended within the bound; else it is ended. */
async function ends(rig: Rig, ...args: string[]): Promise<boolean> {
  const child = rig.start(args);
  try {
    await until(() => !isAlive(child.pid), { what: args.join(' '), boundMs: RECOVERY_BOUND_MS });
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('waited in vain')) throw error;
    signal(child.pid, 'SIGKILL');
    return false;
  }
}

/** The PID in `.pids/<name>.pid`, once it is there and lives. */
export function livePid(rig: Rig, name: string): Promise<number> {
  const find = (): number => {
    const pid = existsSync(join(rig.root, '.pids', `${name}.pid`)) ? rig.pid(name) : 0;
    return pid > 1 && isAlive(pid) ? pid : 0;
  };
  return until(find, { what: `a live ${name}`, boundMs: BOUND_MS });
}

/** Kills with SIGKILL, and waits until they are gone. */
export async function killAll(...pids: number[]): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGKILL');
  await until(() => pids.every((pid) => !isAlive(pid)), { what: `${pids.join()} to end`, boundMs: BOUND_MS });
}

/** Waits until nothing of orch runs in the repository. */
export async function untilQuiet(rig: Rig): Promise<void> {
  await until(() => rig.processes().length === 0, { what: 'quiet', boundMs: BOUND_MS });
}
