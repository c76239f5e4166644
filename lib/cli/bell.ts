import { newOccasions, occasionsOf } from '../orchestrate/notify/due.ts';
import { sightsOfList } from '../orchestrate/notify/sights.ts';
import type { StatusList } from '../orchestrate/poll.ts';
import type { FrozenPlan } from '../protocol/plan.ts';

/**
 * For who watches at a terminal: rings its bell once for each thing of which the config's `bell` wants to tell and
 * that came up since the first list. Elsewhere it does nothing.
 */
export function terminalBell(
  plan: FrozenPlan | null,
  terminal: { isTTY?: boolean; write(text: string): unknown } = process.stderr,
): (list: StatusList) => void {
  const events = new Set(
    (plan?.options.notify ?? []).filter(({ kind }) => kind === 'bell').flatMap(({ on }) => on),
  );
  if (plan === null || events.size === 0 || terminal.isTTY !== true) return () => undefined;
  let told: Set<string> | null = null;
  return (list) => {
    const now = occasionsOf(sightsOfList(list), plan.run, false);
    const isNews = told !== null && newOccasions(now, told).some(({ event }) => events.has(event));
    told = new Set([...(told ?? []), ...now.map(({ key }) => key)]);
    if (isNews) terminal.write('\u0007');
  };
}
