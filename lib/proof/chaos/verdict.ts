import { snapshot } from '../checkout.ts';
import type { Checkout, Evidence, Guarantee } from '../evidence.ts';
import { gather } from '../gather.ts';
import { judge } from '../judge.ts';
import { stateEvents } from '../rules/facts.ts';
import type { Sightings } from '../watch.ts';
import { isExcused } from './excuses.ts';
import type { Stage } from './stage.ts';

/** `guarantee` null: not one of the eight, such as a command that hangs. */
export type Fault = { guarantee: number | null; what: string };

export type Judged = {
  attempts: number;
  /** How many facts each guarantee was decided on. */
  checks: Record<Guarantee, number>;
  faults: Fault[];
};

/** The user's side before anything happens. */
export async function lookBefore(stage: Stage): Promise<Checkout> {
  return snapshot(stage.shop.root);
}

/** Decides the guarantees after a recovery and `orch reap`. */
export async function judgeRound(
  stage: Stage,
  facts: { before: Checkout; seen: Sightings; restartLimit: number },
): Promise<Judged> {
  const { root, aside, asked } = stage.shop;
  const bystanders = [...stage.bystanders];
  const evidence = await gather({ root, aside, asked, ...facts, recovered: true, reaped: true, bystanders });
  const violations = judge(evidence).filter((one) => !isExcused(stage.excuses, one));
  return {
    attempts: stage.ids.reduce((all, id) => all + attemptsOf(evidence, id), 0),
    checks: factsOf(evidence, facts.seen),
    faults: violations.map(({ guarantee, workstream, what }) => {
      return { guarantee, what: workstream === null ? what : `${workstream}: ${what}` };
    }),
  };
}

function attemptsOf({ events }: Evidence, id: string): number {
  return stateEvents(events, id).filter(({ to }) => to === 'starting').length;
}

function factsOf(evidence: Evidence, { looks }: Sightings): Record<Guarantee, number> {
  const { ledger, events, git, records, bystanders, stateFiles } = evidence;
  const events5 = events.filter(({ event }) => event === 'signal' || event === 'remove').length;
  const files = ledger.filter(({ what }) => what === 'wrote' || what === 'committed').length;
  return {
    1: looks.processes + ledger.filter(({ what }) => what === 'start').length,
    2: records.length,
    3: git.chains.reduce((all, { checkpoints }) => all + checkpoints.length, 0),
    4: ledger.filter(({ what }) => what === 'start' || what === 'forked').length,
    5: events5 + bystanders.length,
    6: looks.records + stateFiles.length,
    7: files + Object.keys(evidence.after.files).length,
    8: records.length,
  };
}
