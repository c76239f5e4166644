import { Agent, type Dispatcher, EnvHttpProxyAgent, fetch } from 'undici';
import { OrchError } from '../../errors.ts';

/** The way to the server: no bound on time but the clock's, a bound on size, no redirect, proxies as the environment says. */

export type Connection = { fetch: typeof globalThis.fetch; close(): Promise<void> };

/** Of one answer, events and all. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Of one line of a stream: readers of events hold a line until it ends. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * `onBytes` is called whenever the server sends something. Redirects are not followed: the key would go along.
 * Node's own fetch gives up after five minutes of silence, which a local model may well need to read a prompt.
 */
export function openConnection(
  baseUrl: string,
  env: Readonly<Record<string, string | undefined>>,
  onBytes: () => void,
): Connection {
  const dispatcher = makeDispatcher(baseUrl, env);
  const ask = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    if (typeof input !== 'string' || typeof init.body !== 'string')
      throw new OrchError('INTERNAL', 'the model library sends a request in a way that is not known');
    const response = await fetch(input, {
      method: init.method ?? 'POST',
      headers: [...new Headers(init.headers)],
      body: init.body,
      signal: init.signal ?? null,
      redirect: 'manual',
      dispatcher,
    });
    onBytes();
    const body = response.body === null ? null : bounded(response.body, onBytes);
    const { status, statusText } = response;
    return new Response(body, { status, statusText, headers: [...response.headers] });
  };
  return { fetch: ask, close: () => dispatcher.destroy() };
}

function makeDispatcher(baseUrl: string, env: Readonly<Record<string, string | undefined>>): Dispatcher {
  const patient = { headersTimeout: 0, bodyTimeout: 0 };
  const say = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? '';
  const hasProxy = say('HTTP_PROXY') !== '' || say('HTTPS_PROXY') !== '';
  if (!hasProxy || LOOPBACK.test(new URL(baseUrl).hostname)) return new Agent(patient);
  return new EnvHttpProxyAgent({
    ...patient,
    httpProxy: say('HTTP_PROXY'),
    httpsProxy: say('HTTPS_PROXY') || say('HTTP_PROXY'),
    noProxy: say('NO_PROXY'),
  });
}

function bounded(body: AsyncIterable<Uint8Array>, onBytes: () => void): ReadableStream<Uint8Array> {
  let all = 0;
  let line = 0;
  const reader = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.next();
      if (done === true) return controller.close();
      onBytes();
      all += value.length;
      const lastEnd = value.lastIndexOf(NEWLINE);
      line = lastEnd === -1 ? line + value.length : value.length - lastEnd - 1;
      if (all > MAX_BYTES || line > MAX_LINE_BYTES) {
        await reader.return?.();
        return controller.error(new Error('the server sent more than an answer can hold'));
      }
      controller.enqueue(value);
    },
    async cancel() {
      await reader.return?.();
    },
  });
}
