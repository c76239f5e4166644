import { STATES, type State } from './status.ts';
import { cutText } from './text.ts';

/**
 * What an attached worker tells its orchestrator on file descriptor 3: one JSON object a line. Hints for the eye and
 * reasons to look; nothing is decided by them.
 */

export type RecordNews = {
  type: 'record';
  status: State;
  progress: string;
  current_task: string | null;
  tool: string | null;
};

/** `bytes`: what both logs of the workstream hold. */
type OutputNews = { type: 'output'; bytes: number };

export type News = RecordNews | OutputNews;

/** A line of more bytes, the newline left out, is passed over unread. JSON may make six of each byte of a text. */
export const NEWS_MAX_BYTES = 8_192;
const NEWS_TEXT_BYTES = 256;

/** A record's news, its texts cut so that the line is never too long. */
export function recordNews(record: Omit<RecordNews, 'type'>): RecordNews {
  const { status, progress, current_task, tool } = record;
  const cut = (text: string): string => cutText(text, NEWS_TEXT_BYTES);
  return {
    type: 'record',
    status,
    progress: cut(progress),
    current_task: current_task === null ? null : cut(current_task),
    tool: tool === null ? null : cut(tool),
  };
}

/** The news in a line; null for anything else, which means nothing. */
export function parseNews(line: string): News | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { type, status, progress, current_task, tool, bytes } = value as Record<string, unknown>;
  if (type === 'output')
    return Number.isSafeInteger(bytes) && Number(bytes) >= 0 ? { type, bytes: Number(bytes) } : null;
  const state = STATES.find((one) => one === status);
  if (type !== 'record' || state === undefined || typeof progress !== 'string') return null;
  if (!isTextOrNull(current_task) || !isTextOrNull(tool)) return null;
  return recordNews({ status: state, progress, current_task, tool });
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
