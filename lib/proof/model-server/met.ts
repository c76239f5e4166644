import type { IncomingMessage } from 'node:http';
import type { Api, Asked } from './ask.ts';
import type { Mode } from './modes.ts';

/** One request that was met, in order of arrival. It never holds a key. */
export type Met = {
  /** Milliseconds since the server began, on the monotonic clock. */
  atMs: number;
  method: string;
  path: string;
  api: Api | null;
  model: string;
  bodyBytes: number;
  /** Whether it carried a key in any of the headers or the query by which these APIs are given one. */
  hasKey: boolean;
  isStream: boolean;
  /** Names of the tools that the client offered. */
  tools: readonly string[];
  /** What it was answered; null for what asks no model. */
  mode: Mode | null;
  /** False for side requests of a client, such as that for a title: they are answered, but use up no mode. */
  isTask: boolean;
  /** All text of it; null once too many others came after it. */
  prompt: string | null;
};

const KEY_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'];

/** What is noted of a request; how it was answered is for the caller to add. */
export function metOf(
  { headers, method = 'GET', url = '' }: IncomingMessage,
  path: string,
  bodyBytes: number,
  asked: Asked | null,
): Omit<Met, 'atMs' | 'mode' | 'isTask'> {
  return {
    method,
    path,
    api: asked?.api ?? null,
    model: asked?.model ?? '',
    bodyBytes,
    hasKey: KEY_HEADERS.some((name) => headers[name] !== undefined) || /[?&]key=/.test(url),
    isStream: asked?.isStream ?? false,
    tools: asked?.tools.map(({ name }) => name) ?? [],
    prompt: asked?.prompt ?? null,
  };
}
