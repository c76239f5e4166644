import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { isolate } from '../../git/repo.ts';
import { block, KEY, repositoryWith, run, whole } from './bench.ts';
import {
  closeServers,
  drops,
  fails,
  failsInStream,
  fallsSilent,
  isSilent,
  modelServer,
  neverEnds,
  type Step,
  says,
  saysAnthropic,
} from './server.ts';

/** What each answer of a model server comes to, over real connections. */

isolate();

let worktree = '';
let logged = '';
const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);

beforeAll(() => {
  process.on('unhandledRejection', onRejection);
});
afterAll(() => {
  process.off('unhandledRejection', onRejection);
});

beforeEach(async () => {
  worktree = await repositoryWith({ 'src/a.py': 'one = 1\ntwo = 2\n', 'README.md': 'hello\n' });
  logged = '';
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      logged += String(text);
      return true;
    });
  }
  for (const level of ['log', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, level).mockImplementation((text) => {
      logged += `CONSOLE ${text}`;
    });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await closeServers();
  rmSync(worktree, { recursive: true });
  // A rejection that nobody handles is told a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  expect(rejections.splice(0)).toEqual([]);
  expect(logged).not.toContain(KEY);
  // Every line has its mark: libraries say nothing, and no model can speak as orch.
  expect(logged.split('\n').filter((line) => !/^(?:orch: llm: |[|~] |$)/.test(line))).toEqual([]);
});

const read = (path: string): string => readFileSync(join(worktree, path), 'utf8');
const answered = async (...steps: Step[]) => run({ worktree, url: (await modelServer(...steps)).url });
const RIGHT = block('src/a.py', 'two = 2', 'two = 3');
const ERROR = (message: string, code: string | null = null): object => ({
  error: { message, type: 'some_error', code, param: null },
});

test('an edit is made, told in the log, and counted', async () => {
  const server = await modelServer(says(`I change it.\n\n${RIGHT}`));
  const result = await run({ worktree, url: server.url, present: ['src/a.py'] });
  expect(result).toMatchObject({ outcome: 'done', usage: { tokensIn: 100, tokensOut: 7, costUsd: null } });
  expect(read('src/a.py')).toBe('one = 1\ntwo = 3\n');
  expect(logged).toMatch(/^orch: llm: round 1/m);
  expect(logged).toMatch(/^\| I change it\.$/m);
  expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(server.asked[0]?.text).toContain('two = 2');
});

test('Anthropic is asked in its own way', async () => {
  const server = await modelServer(saysAnthropic(RIGHT));
  const env = { ORCH_LLM_PROVIDER: 'anthropic' };
  const result = await run({ worktree, url: server.url, env });
  expect(result).toMatchObject({ outcome: 'done', usage: { tokensIn: 100, tokensOut: 7 } });
  expect(read('src/a.py')).toContain('two = 3');
  expect(server.asked[0]).toMatchObject({ path: '/v1/messages', headers: { 'x-api-key': KEY } });
});

test('the model of the config goes before that of the environment', async () => {
  const server = await modelServer(says('Nothing to do.'));
  const { llm } = await import('../../../lib/tools/llm.ts');
  const { requestFor } = await import('./bench.ts');
  await llm.run({ ...requestFor({ worktree, url: server.url }), settings: { model: 'other' } });
  expect(server.asked[0]?.body['model']).toBe('other');
});

test('an end by another word is an end', async () => {
  expect(await answered(says(RIGHT, 'eos_token'))).toMatchObject({ outcome: 'done' });
  expect(read('src/a.py')).toContain('two = 3');
});

test('an answer without an edit is done: git says that nothing changed', async () => {
  expect(await answered(says('There is nothing to be done.'))).toMatchObject({ outcome: 'done' });
});

test('an answer with code but no edit is asked about once', async () => {
  const server = await modelServer(says('```python\ntwo = 3\n```'), says(RIGHT));
  expect(await run({ worktree, url: server.url })).toMatchObject({
    outcome: 'done',
    usage: { tokensIn: 200, tokensOut: 14 },
  });
  expect(read('src/a.py')).toContain('two = 3');
  expect(server.asked).toHaveLength(2);
});

test('a wrong edit is sent back with the nearest lines, and the right one is made', async () => {
  const server = await modelServer(says(block('src/a.py', 'two = 4', 'two = 3')), says(RIGHT));
  const result = await run({ worktree, url: server.url });
  expect(result).toMatchObject({ outcome: 'done', usage: { tokensIn: 200 } });
  expect(read('src/a.py')).toContain('two = 3');
  expect(server.asked[1]?.text).toContain('2| two = 2');
});

test('three answers that do not fit are a bad edit; the third was asked for as a whole; nothing is changed', async () => {
  const good = whole('src/new.py', 'new');
  const server = await modelServer(says(good + block('src/a.py', 'nowhere', 'x')));
  const result = await run({ worktree, url: server.url, present: ['src/a.py'] });
  expect(result).toMatchObject({ outcome: 'bad_edit', usage: { tokensIn: 300, tokensOut: 21 } });
  expect(server.asked).toHaveLength(3);
  const said = server.asked.map(({ text }) => text.includes('give this file as a whole'));
  expect(said).toEqual([false, false, true]);
  expect(read('src/a.py')).toBe('one = 1\ntwo = 2\n');
  expect(existsSync(join(worktree, 'src/new.py'))).toBe(false);
});

test('an edit outside of the scope is sent back and never made', async () => {
  const server = await modelServer(says(whole('README.md', 'mine')), says(RIGHT));
  const result = await run({ worktree, url: server.url, scope: ['src'], present: ['src/a.py'] });
  expect(result).toMatchObject({ outcome: 'done' });
  expect([read('README.md'), read('src/a.py')]).toEqual(['hello\n', 'one = 1\ntwo = 3\n']);
});

test('what is asked for is shown; what git ignores, and secrets, never are', async () => {
  const secret = 'hunter2-hunter2';
  rmSync(worktree, { recursive: true });
  worktree = await repositoryWith({
    '.gitignore': 'ignored.txt\n',
    'src/a.py': 'one = 1\ntwo = 2\n',
    'b.py': 'see me\n',
    '.env': secret,
    'deploy.pem': secret,
  });
  const { writeFileSync, symlinkSync } = await import('node:fs');
  writeFileSync(join(worktree, 'ignored.txt'), secret);
  symlinkSync(join(worktree, '.env'), join(worktree, 'link.txt'));
  const wishes = [
    'b.py',
    '.env',
    'ignored.txt',
    'link.txt',
    'deploy.pem',
    '../x',
    '/etc/passwd',
    '.git/config',
  ];
  const server = await modelServer(says(wishes.map((path) => `READ: ${path}`).join('\n')), says(RIGHT));
  const result = await run({ worktree, url: server.url, present: ['ignored.txt', '.env', 'src/a.py'] });
  expect(result).toMatchObject({ outcome: 'done' });
  expect(server.asked[1]?.text).toContain('see me');
  for (const { text } of server.asked) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain('root:');
    expect(text).not.toContain('repositoryformatversion');
  }
});

test('a file that is not known as a whole is not written anew before it was read', async () => {
  const anew = whole('src/a.py', 'anew');
  const server = await modelServer(says(anew), says('READ: src/a.py'), says(anew));
  expect(await run({ worktree, url: server.url })).toMatchObject({ outcome: 'done' });
  expect(server.asked).toHaveLength(3);
  expect(read('src/a.py')).toBe('anew\n');
});

test('reading ends: who only ever asks has made a bad edit', async () => {
  const server = await modelServer(says('READ: src/a.py'));
  expect(await run({ worktree, url: server.url })).toMatchObject({ outcome: 'bad_edit' });
  expect(server.asked).toHaveLength(5);
});

test('an answer that was cut off is asked for again, shorter', async () => {
  const server = await modelServer(says('FILE: src/a.py\n<<<<<<< SEARCH\none', 'length'), says(RIGHT));
  expect(await run({ worktree, url: server.url })).toMatchObject({ outcome: 'done' });
  expect(read('src/a.py')).toContain('two = 3');
});

test.each<[string, Step, object]>([
  ['401', fails(401, ERROR(`Incorrect API key provided: ${KEY}`, 'invalid_api_key')), { outcome: 'auth' }],
  ['403', fails(403, ERROR('forbidden')), { outcome: 'auth' }],
  ['404', fails(404, ERROR('The model `m` does not exist', 'model_not_found')), { outcome: 'error' }],
  [
    '429',
    fails(429, ERROR('Rate limit reached', 'rate_limit_exceeded'), { 'retry-after': '7' }),
    { outcome: 'rate_limited', retryAfterSeconds: 7 },
  ],
  [
    '429 in milliseconds',
    fails(429, ERROR('slow down'), { 'retry-after': '9', 'retry-after-ms': '1500' }),
    { outcome: 'rate_limited', retryAfterSeconds: 1.5 },
  ],
  ['429 without a time', fails(429, 'slow down'), { outcome: 'rate_limited', retryAfterSeconds: null }],
  [
    'quota',
    fails(429, ERROR('You exceeded your current quota', 'insufficient_quota'), { 'retry-after': '3600' }),
    { outcome: 'quota', retryAfterSeconds: 3600 },
  ],
  ['402', fails(402, ERROR('Insufficient Balance')), { outcome: 'quota' }],
  [
    'context',
    fails(400, ERROR('This model’s maximum context length is 8192 tokens', 'context_length_exceeded')),
    { outcome: 'context_overflow' },
  ],
  ['413', fails(413, ERROR('Request too large', 'request_too_large')), { outcome: 'context_overflow' }],
  ['400', fails(400, ERROR('temperature is not a number')), { outcome: 'error' }],
  ['500', fails(500, ERROR('oops')), { outcome: 'error' }],
  ['503 with HTML', fails(503, '<html><body>bad gateway</body></html>'), { outcome: 'error' }],
  [
    '529',
    fails(529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    { outcome: 'error' },
  ],
  ['a redirect', fails(307, '', { location: 'http://127.0.0.1:1/' }), { outcome: 'error' }],
  ['an empty answer', says(''), { outcome: 'error', message: 'the model said nothing' }],
  ['only white space', says(' \n\n'), { outcome: 'error', message: 'the model said nothing' }],
  ['a filter', says('I', 'content_filter'), { outcome: 'error' }],
  ['a dropped socket', drops(`${RIGHT}\n`), { outcome: 'error' }],
  ['an end without a reason', says(RIGHT, null), { outcome: 'error' }],
  ['an answer that the server gave up', says(RIGHT, 'abort'), { outcome: 'error' }],
  ['rubbish', (response) => response.end('rubbish'), { outcome: 'error' }],
  ['a rubbish stream', (response) => response.end('data: {"a": 1}\n\ndata: }\n\n'), { outcome: 'error' }],
  ['no stream', fails(200, { choices: [{ message: { content: 'hi' } }] }), { outcome: 'error' }],
  [
    'an overload in the stream',
    failsInStream({ message: 'overloaded', type: 'server_error' }),
    { outcome: 'error' },
  ],
  [
    'a rate limit in the stream',
    failsInStream({ message: 'Rate limit reached', type: 'rate_limit_error' }),
    { outcome: 'rate_limited' },
  ],
  [
    'a context in the stream',
    failsInStream({ message: 'exceeds the available context size' }),
    { outcome: 'context_overflow' },
  ],
])('%s', async (_, step, wanted) => {
  const server = await modelServer(step);
  const result = await run({ worktree, url: server.url });
  expect(result).toMatchObject(wanted);
  expect(JSON.stringify(result)).not.toContain(KEY);
  expect(result.message).not.toMatch(/\n/);
  // Retries are orch's, and a broken answer is never carried out.
  expect(server.asked).toHaveLength(1);
  expect(read('src/a.py')).toBe('one = 1\ntwo = 2\n');
});

test('an unknown model is named', async () => {
  const result = await answered(fails(404, ERROR('no such thing')));
  expect(result.message).toContain('"m"');
});

test('a server that is not there is an error with its reason', async () => {
  const server = await modelServer(says('hi'));
  await server.close();
  const result = await run({ worktree, url: server.url });
  expect(result).toMatchObject({ outcome: 'error', usage: null });
  expect(result.message).toContain('refuses the connection');
});

test.each([
  ['never answers', isSilent],
  ['falls silent', fallsSilent('I beg')],
])('a server that %s is stalled', async (_, step) => {
  const server = await modelServer(step);
  const result = await run({ worktree, url: server.url, stallMs: 400 });
  expect(result).toMatchObject({ outcome: 'stalled' });
});

test('a server that talks on without end reaches the time limit, not the stall', async () => {
  const server = await modelServer(neverEnds('and ', 30));
  const result = await run({ worktree, url: server.url, stallMs: 1_000, timeoutMs: 2_500 });
  expect(result).toMatchObject({ outcome: 'timeout' });
});

test('a server that sends without end is cut off by size', async () => {
  const server = await modelServer(neverEnds('x'.repeat(200_000), 1));
  const result = await run({ worktree, url: server.url });
  expect(result).toMatchObject({ outcome: 'error' });
});

test('a line without end is cut off by size', async () => {
  const flood: Step = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const more = (): void => {
      if (!response.destroyed) response.write('x'.repeat(1024 * 1024), more);
    };
    more();
  };
  const server = await modelServer(flood);
  expect(await run({ worktree, url: server.url })).toMatchObject({ outcome: 'error' });
});

test('a stop ends the run at once, before a request and during one', async () => {
  const server = await modelServer(isSilent);
  const before = new AbortController();
  before.abort('now');
  expect(await run({ worktree, url: server.url, stop: before.signal })).toMatchObject({ outcome: 'killed' });
  expect(server.asked).toHaveLength(0);
  const during = new AbortController();
  const running = run({ worktree, url: server.url, stop: during.signal });
  await vi.waitUntil(() => server.asked.length === 1, { timeout: 20_000 });
  during.abort('now');
  expect(await running).toMatchObject({ outcome: 'killed' });
  await vi.waitUntil(() => logged.includes('killed'), { timeout: 20_000 });
});

test('a proxy is used as the environment says, and not for a server on this machine', async () => {
  const server = await modelServer(says(RIGHT));
  const tunnels: string[] = [];
  const proxy = createServer().on('connect', (request, socket: Socket) => {
    tunnels.push(request.url ?? '');
    const { port } = new URL(server.url);
    const inner = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      inner.pipe(socket).pipe(inner);
    });
    inner.on('error', () => socket.destroy());
    socket.on('error', () => inner.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const env = { HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: '0.0.0.0' };
  expect(await run({ worktree, url: 'http://model.test/v1', env })).toMatchObject({ outcome: 'done' });
  expect(tunnels).toEqual(['model.test:80']);
  expect(await run({ worktree, url: server.url, env })).toMatchObject({ outcome: 'bad_edit' });
  await run({ worktree, url: server.url.replace('127.0.0.1', '0.0.0.0'), env });
  expect(server.asked.length).toBeGreaterThan(4);
  expect(tunnels).toHaveLength(1);
  await new Promise((resolve) => proxy.close(resolve));
});
