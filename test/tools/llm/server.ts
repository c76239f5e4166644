import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A small model server on loopback: it answers each request by the next step, the last one repeating. */

type Asked = {
  path: string;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
  text: string;
};
export type Step = (response: ServerResponse, asked: Asked) => void;
export type ModelServer = { url: string; asked: Asked[]; close(): Promise<void> };

const open: Server[] = [];

/** Ends every server that a test has started, with whoever is still connected. */
export async function closeServers(): Promise<void> {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

export async function modelServer(...steps: Step[]): Promise<ModelServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const text = Buffer.concat(parts).toString();
      const one = { path: request.url ?? '', headers: request.headers, body: JSON.parse(text), text };
      asked.push(one);
      steps[Math.min(asked.length, steps.length) - 1]?.(response, one);
    });
    response.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(server);
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}/v1`, asked, close };
}

const event = (data: object, name?: string): string =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;

/** The pieces of a text as a stream would bring them. */
const pieces = (text: string): string[] => text.match(/[\s\S]{1,40}/g) ?? [];

const chunk = (delta: object, finish: string | null = null): string =>
  event({ id: 'c1', model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] });

/** An answer of chat completions; `finish` null: it ends without a word of why. */
export const says =
  (text: string, finish: string | null = 'stop'): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces(text)) response.write(chunk({ content: piece }));
    if (finish !== null) response.write(chunk({}, finish));
    const usage = { prompt_tokens: 100, completion_tokens: 7, total_tokens: 107 };
    response.end(`${event({ id: 'c1', choices: [], usage })}data: [DONE]\n\n`);
  };

/** An answer of Anthropic's messages. */
export const saysAnthropic =
  (text: string): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const message = {
      id: 'm1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
    };
    const put = (type: string, data: object = {}): void =>
      void response.write(event({ type, ...data }, type));
    put('message_start', { message: { ...message, usage: { input_tokens: 100, output_tokens: 1 } } });
    put('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
    for (const piece of pieces(text))
      put('content_block_delta', { index: 0, delta: { type: 'text_delta', text: piece } });
    put('content_block_stop', { index: 0 });
    put('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } });
    put('message_stop');
    response.end();
  };

/** An error as providers give it. */
export const fails =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

/** Begins an answer, then hangs up. */
export const drops =
  (text: string): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: text }), () => response.destroy());
  };

export const isSilent: Step = () => undefined;

/** Begins an answer, then says no more. */
export const fallsSilent =
  (text: string): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: text }));
  };

/** Says something over and over and never ends. */
export const neverEnds =
  (text: string, everyMs: number): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write(chunk({ content: text })), everyMs);
    response.on('close', () => clearInterval(timer));
  };

/** An error inside of a stream that had begun well. */
export const failsInStream =
  (error: object): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: 'I begin' }));
    response.end(event({ error }));
  };
