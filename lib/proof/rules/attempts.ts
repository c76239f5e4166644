import { STATES, type State } from '../../protocol/status.ts';
import { mayAdvance, type Writer } from '../../protocol/transitions.ts';
import type { EventFact, Evidence, Violation } from '../evidence.ts';
import type { LedgerEntry } from '../ledger.ts';
import { recordOf, stateEvents, wasMadeAnew } from './facts.ts';

/** Guarantee 1: never two live workers of a workstream; an old attempt never writes over a newer one. */
export function judgeAttempts(evidence: Evidence): Violation[] {
  return [
    ...evidence.workstreams.flatMap(({ id }) => [
      ...overlaps(evidence, id),
      ...lateNotes(evidence, id),
      ...seenTogether(evidence, id),
      ...eventsInDisorder(evidence, id),
      ...attemptsInDisorder(evidence, id),
    ]),
    ...orchestratorsAtOnce(evidence.events),
  ];
}

const broken = (workstream: string | null, what: string): Violation => ({ guarantee: 1, workstream, what });

/** A task saw, when it began, a process of an earlier attempt. */
function overlaps({ ledger }: Evidence, id: string): Violation[] {
  return ledger
    .filter(({ what, workstream }) => what === 'overlap' && workstream === id)
    .map(({ attempt, detail }) =>
      broken(id, `attempt ${attempt} began while pid ${detail[0]} of another attempt lived`),
    );
}

/** Something of an older attempt noted something after a newer one had begun. */
function lateNotes({ ledger }: Evidence, id: string): Violation[] {
  const seen: string[] = [];
  const late = new Map<string, LedgerEntry>();
  for (const entry of ledger.filter(({ workstream }) => workstream === id)) {
    if (!seen.includes(entry.token)) seen.push(entry.token);
    else if (seen.at(-1) !== entry.token && !late.has(entry.token)) late.set(entry.token, entry);
  }
  return [...late.values()].map(({ what, attempt, pid }) =>
    broken(id, `pid ${pid} of attempt ${attempt} noted "${what}" after a later attempt had begun`),
  );
}

/** Only who wrote `running` has passed the gate: one that waits there is nobody's worker yet. */
function seenTogether({ together, events }: Evidence, id: string): Violation[] {
  const passed = new Set(stateEvents(events, id).flatMap(({ to, pid }) => (to === 'running' ? [pid] : [])));
  return together
    .filter(({ workstream, pids }) => workstream === id && pids.filter((pid) => passed.has(pid)).length > 1)
    .map(({ pids }) => broken(id, `workers ${pids.join(' and ')} lived at the same time`));
}

const WRITERS: readonly Writer[] = ['orchestrator', 'worker', 'settler', 'person', 'collect'];
const isState = (value: unknown): value is State => STATES.some((state) => state === value);

/** Lines may be missing, where somebody died after an act and before its line; those that are there must fit. */
function eventsInDisorder({ events }: Evidence, id: string): Violation[] {
  const found: Violation[] = [];
  let highest = 0;
  for (const { from, to, attempt, actor, pid } of stateEvents(events, id)) {
    const writer = actor.startsWith(`worker:${id}:`) ? Number(actor.split(':').at(-1)) : pid;
    if (writer !== pid)
      found.push(broken(id, `the worker ${String(writer)} wrote "${to}" into the record of ${String(pid)}`));
    if (from === null) highest = 0;
    if (attempt < highest)
      found.push(broken(id, `attempt ${attempt} wrote "${to}" after attempt ${highest} had begun`));
    if (to === 'starting' && attempt === highest && highest > 0)
      found.push(broken(id, `attempt ${attempt} was started twice`));
    highest = Math.max(highest, attempt);
    const isLegal =
      !isState(from) || !isState(to) || WRITERS.some((writer) => mayAdvance(from, to, writer)) || from === to;
    if (!isLegal) found.push(broken(id, `its record went from ${from} to ${to}`));
  }
  return found;
}

/** By ledger, checkpoints and record. A record that had to be made anew may have forgotten its number. */
function attemptsInDisorder(evidence: Evidence, id: string): Violation[] {
  const found: Violation[] = [];
  const entries = evidence.ledger.filter(({ workstream }) => workstream === id);
  const record = recordOf(evidence, id);
  if (wasMadeAnew(evidence, id)) return found;
  const tokens = new Map<number, string>();
  for (const { attempt, token } of entries) {
    const before = tokens.get(attempt) ?? token;
    if (before !== token) found.push(broken(id, `two workers ran as attempt ${attempt}`));
    tokens.set(attempt, token);
  }
  const highest = Math.max(0, ...tokens.keys());
  if (record !== null && record.attempt < highest)
    found.push(broken(id, `the record tells of attempt ${record.attempt}, but attempt ${highest} ran`));
  const token = record === null ? undefined : tokens.get(record.attempt);
  if (record?.identity != null && token !== undefined && record.identity.token !== token)
    found.push(
      broken(id, `the record's token is not that of the worker that ran as attempt ${record.attempt}`),
    );
  const chain = evidence.git.chains.find(({ workstream }) => workstream === id);
  for (const [at, { attempt }] of (chain?.checkpoints ?? []).entries()) {
    const before = chain?.checkpoints[at - 1]?.attempt ?? 0;
    if (attempt < before)
      found.push(broken(id, `attempt ${attempt} made a checkpoint on top of one of attempt ${before}`));
  }
  return found;
}

/** One that began to orchestrate is over for good once another began: whatever it does then, it does unasked. */
function orchestratorsAtOnce(events: readonly EventFact[]): Violation[] {
  const found = new Map<string, Violation>();
  const followed = new Set<string>();
  let current: string | null = null;
  for (const { actor, event, why } of events) {
    if (event === 'orchestrator' && why.startsWith('began') && actor !== current) {
      if (current !== null) followed.add(current);
      followed.delete(actor);
      current = actor;
    } else if (followed.has(actor)) {
      found.set(
        actor,
        broken(null, `${actor} went on ("${event}") after ${current} had begun to orchestrate`),
      );
    }
  }
  return [...found.values()];
}
