import { OrchError } from '../errors.ts';
import type { EVENTS } from '../protocol/events.ts';
import { eventsPath, historyPath } from '../protocol/layout.ts';
import { cutText } from '../protocol/text.ts';
import { appendLine } from './open.ts';

/** One line of `.logs/_events.ndjson`. */
export type AuditEvent = {
  event: (typeof EVENTS)[number];
  workstream: string | null;
  why: string;
  [detail: string]: unknown;
};

/** Who does something, for the audit trail: a role and its process. */
export type Actor = { role: string; pid: number };

/**
 * Writes one event. A full disk does not stop the work that the event tells of: the loss is told on stderr, which
 * for workers and the orchestrator is their log.
 */
export function audit(root: string, actor: Actor, event: AuditEvent): void {
  const at = Date.now() / 1000;
  const line = { at, actor: `${actor.role}:${actor.pid}`, ...event, why: cutText(event.why, 512) };
  tolerateFullDisk(() => appendLine(eventsPath(root), JSON.stringify(line)));
}

/** Appends to `.status/<id>.history.ndjson`, which holds all tool runs and checks of all attempts. */
export function recordHistory(root: string, id: string, entry: Record<string, unknown>): void {
  tolerateFullDisk(() =>
    appendLine(historyPath(root, id), JSON.stringify({ at: Date.now() / 1000, ...entry })),
  );
}

function tolerateFullDisk(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    process.stderr.write(`orch: ${error.message}\n`);
  }
}
