import type { ServerResponse } from 'node:http';
import type { Asked } from './ask.ts';
import { USAGE } from './modes.ts';
import type { Reply } from './reply.ts';
import { spellMessages } from './spell-anthropic.ts';
import { spellGemini } from './spell-google.ts';
import { spellChat, spellResponses } from './spell-openai.ts';
import type { Spoken } from './spoken.ts';

const SPELL = {
  chat: spellChat,
  responses: spellResponses,
  messages: spellMessages,
  gemini: spellGemini,
} as const;

/** The answer, as a stream where one was asked for. */
export function sendAnswer(response: ServerResponse, asked: Asked, reply: Reply, id: string): void {
  const spoken = spell(asked, reply, id);
  if (asked.isStream) {
    beginStream(response);
    response.end(spoken.stream.join(''));
  } else {
    sendJson(response, 200, spoken.whole);
  }
}

/** The first half of an answer, then the connection is gone. */
export function dropAnswer(response: ServerResponse, asked: Asked, reply: Reply): void {
  const spoken = spell(asked, reply, 'dropped');
  const gone = (): void => {
    response.socket?.destroy();
  };
  if (asked.isStream) {
    beginStream(response);
    const events = spoken.stream.join('');
    response.write(events.slice(0, events.length / 2), gone);
    return;
  }
  const body = Buffer.from(JSON.stringify(spoken.whole));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.write(body.subarray(0, body.length / 2), gone);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': text.length,
    ...headers,
  });
  response.end(text);
}

/** What clients look for beside answers. */
export function sendOther(response: ServerResponse, path: string): void {
  const [status, body] = otherOf(path);
  sendJson(response, status, body);
}

function otherOf(path: string): [number, object] {
  const { tokensIn } = USAGE;
  if (path.endsWith('/count_tokens')) return [200, { input_tokens: tokensIn }];
  if (path.endsWith(':countTokens')) return [200, { totalTokens: tokensIn }];
  if (path.endsWith('/models')) {
    const model = { id: 'fake', object: 'model', created: 1_764_000_000, owned_by: 'orch' };
    return [200, { object: 'list', data: [model] }];
  }
  return [404, { error: { message: `no such path: ${path}`, type: 'not_found', code: null } }];
}

function spell(asked: Asked, reply: Reply, id: string): Spoken {
  return SPELL[asked.api](reply, asked.model, id);
}

function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
}
