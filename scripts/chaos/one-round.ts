import { writeFileSync } from 'node:fs';
import { runRound } from '../../lib/proof/chaos/round.ts';
import { actionsOf, type WorldName, worldOf } from './worlds.ts';

/** One round in a process of its own, in the namespaces that `main.ts` gave it. */

export type Order = {
  seed: number;
  round: number;
  world: WorldName;
  only: readonly string[];
  orch: string;
  /** Names of failpoints. */
  failpoints: readonly string[];
  keep: boolean;
  report: string;
};

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop.abort());

const { seed, round, orch, keep } = order;
const { prepare } = worldOf(order.world);
const report = await runRound({
  seed,
  round,
  orch,
  keep,
  ...actionsOf(order.world, order.only, order.failpoints),
  ...(prepare === undefined ? {} : { prepare }),
  signal: stop.signal,
});
writeFileSync(order.report, JSON.stringify(report));
process.exit(0);
