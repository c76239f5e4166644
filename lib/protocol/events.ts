import * as v from 'valibot';
import { STATES } from './status.ts';

/** The lines of `.logs/_events.ndjson`, and those that commands print with `--json` while they watch. */

export const EVENTS = [
  'state',
  'signal',
  'remove',
  'spawn',
  'salvage',
  'scope_violation',
  'tests_edited',
  'refs_moved',
  'hold',
  'orchestrator',
  'lock',
  'rebuilt',
  'notify',
] as const;

const seconds = v.number();

/** One line of the audit trail; details differ by event. */
const AuditLine = v.looseObject({
  at: seconds,
  actor: v.string(),
  event: v.picklist(EVENTS),
  workstream: v.nullable(v.string()),
  why: v.string(),
});

const Reason = v.object({ code: v.string(), message: v.string(), hint: v.nullable(v.string()) });

/** What `run --json` and `reattach --json` print for each change of a workstream. */
const ChangeLine = v.looseObject({
  schema: v.literal('orch.event/1'),
  at: seconds,
  workstream: v.string(),
  status: v.string(),
  verdict: v.picklist([...STATES, 'unknown']),
  progress: v.nullable(v.string()),
  current_task: v.nullable(v.string()),
  reason: v.nullable(Reason),
});

/** What `reattach --once --json` prints for each thing it does. */
const ActionLine = v.looseObject({
  schema: v.literal('orch.event/1'),
  at: seconds,
  event: v.literal('action'),
  type: v.string(),
  id: v.nullable(v.string()),
  ok: v.boolean(),
  note: v.string(),
});

/** The schema of an event, of whichever kind. */
export const EventSchema = v.union([AuditLine, ChangeLine, ActionLine]);
