import { describe, expect, it } from 'vitest';
import type { RegisteredTool } from '../../lib/protocol/tools.ts';
import { aiderOutcome } from '../../lib/tools/aider-outcome.ts';
import { claudeOutcome } from '../../lib/tools/claude.ts';
import type { End } from '../../lib/tools/cli-agent.ts';
import { codexOutcome } from '../../lib/tools/codex.ts';
import { copilotOutcome } from '../../lib/tools/copilot.ts';
import { geminiOutcome } from '../../lib/tools/gemini.ts';
import { opencodeOutcome } from '../../lib/tools/opencode.ts';
import { outcomeOfProviderError, retryAfterIn } from '../../lib/tools/provider-error.ts';
import { registeredOutcome } from '../../lib/tools/registered.ts';
import { matchesSome } from '../../lib/tools/slow-pattern.ts';

/** What real tools printed when a model server of their own answered so, cut to what matters. */

const end = (exitCode: number | null, out: unknown = '', err = ''): End => ({
  exitCode,
  signal: exitCode === null ? 'SIGKILL' : null,
  out: typeof out === 'string' ? out : (out as unknown[]).map((one) => JSON.stringify(one)).join('\n'),
  err,
});

describe('aider', () => {
  const starting = { event: 'message_send_starting', properties: {} };
  const sent = {
    event: 'message_send',
    properties: { prompt_tokens: 1200, completion_tokens: 34, cost: 0.5 },
  };
  const exit = { event: 'exit', properties: { reason: 'Completed --message-file' } };
  const log = (...events: unknown[]): string =>
    [{ event: 'launched' }, ...events].map((one) => `${JSON.stringify(one)}\n`).join('');
  const HEAD = '> Model: openai/fake with whole edit format  \n\n#### Carry out the following task.  \n';
  const said = (...lines: string[]): string => HEAD + lines.map((line) => `> ${line}  \n`).join('');
  const RETRIES = [
    'litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached. Please try again in 20s.',
    'The API provider has rate limited you. Try again later or check your quotas.',
    'Retrying in 0.2 seconds...',
  ];

  it.each<[string, string, number | null, string, string]>([
    ['an edit', 'done', 0, log(starting, sent, exit), said('Applied edit to hello.txt')],
    ['words alone', 'done', 0, log(starting, sent, exit), `${HEAD}Nothing to do.\n`],
    [
      'a key that is none, and exit code 0',
      'auth',
      0,
      log(starting, exit),
      said('litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided'),
    ],
    ['a rate limit', 'rate_limited', 0, log(starting, exit), said(...RETRIES, ...RETRIES.slice(0, 2))],
    [
      'a quota that is used up',
      'quota',
      0,
      log(starting, exit),
      said(
        'litellm.RateLimitError: OpenAIException - You exceeded your current quota, please check your plan',
      ),
    ],
    [
      'a model that is not there',
      'error',
      0,
      log(starting, exit),
      said('litellm.NotFoundError: OpenAIException - no'),
    ],
    [
      'a server that fails',
      'error',
      0,
      log(starting, exit),
      said('litellm.InternalServerError: OpenAIException - x'),
    ],
    [
      'too long a request',
      'context_overflow',
      0,
      log(starting, sent, exit),
      said('', 'Model openai/fake has hit a token limit!', 'Token counts below are approximate.'),
    ],
    [
      'edits that fit nothing',
      'bad_edit',
      0,
      log(starting, sent, starting, sent, exit),
      said(
        'The LLM did not conform to the edit format.',
        'https://aider.chat/docs/troubleshooting/edit-errors.html',
        'Only 3 reflections allowed, stopping.',
      ),
    ],
    [
      'edits that fit at the second try',
      'done',
      0,
      log(starting, sent, starting, sent, exit),
      said(
        'The LLM did not conform to the edit format.',
        'https://aider.chat/docs/troubleshooting/edit-errors.html',
        'Applied edit to hello.txt',
      ),
    ],
    [
      'an empty answer',
      'error',
      0,
      log(starting, sent, exit),
      said('Empty response received from LLM. Check'),
    ],
    ['no model', 'auth', 1, log(exit), said('No LLM model was specified and no API keys were provided.')],
    ['a wrong option', 'error', 2, '', ''],
    ['a kill after the answer', 'error', null, log(starting, sent), said('Applied edit to hello.txt')],
    ['an end before its end', 'error', 0, log(starting, sent), said('Applied edit to hello.txt')],
    ['no question to a model', 'error', 0, log(exit), said('Commands run')],
    ['nothing that it wrote', 'error', 0, '', ''],
  ])('%s is %s', (_, outcome, exitCode, events, history) => {
    expect(aiderOutcome(end(exitCode), { events, history }).outcome).toBe(outcome);
  });

  it.each([
    'litellm.AuthenticationError: AuthenticationError: Incorrect API key provided',
    '> litellm.AuthenticationError: AuthenticationError: Incorrect API key provided',
    '> The LLM did not conform to the edit format.',
    '> Model openai/fake has hit a token limit!',
    'litellm.RateLimitError: The API provider has rate limited you.',
  ])('is not taken in by a model that quotes %j', (quoted) => {
    const history = `${HEAD.replace('task', quoted)}#### ${quoted}  \n\n${quoted}\n${quoted}\n\n> Tokens: 1.2k sent.  \n`;
    expect(aiderOutcome(end(0, quoted, quoted), { events: log(starting, sent, exit), history }).outcome).toBe(
      'done',
    );
  });

  it.each([
    [
      'AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key: x',
      'Incorrect API key: x',
    ],
    ['RateLimitError: AnthropicException - {"type":"error"}', '{"type":"error"}'],
    ['InternalServerError: Connection error.', 'Connection error.'],
    ['NotFoundError: no such model', 'no such model'],
  ])('says what the provider said, without the names of classes: %s', (words, message) => {
    const files = { events: log(starting, exit), history: said(`litellm.${words}`) };
    expect(aiderOutcome(end(0), files).message).toBe(message);
  });

  it('tells tokens and cost of all answers, when to try again, and no cost where it knows no price', () => {
    const files = { events: log(starting, sent, starting, sent, starting, exit), history: said(...RETRIES) };
    expect(aiderOutcome(end(0), files)).toMatchObject({
      outcome: 'rate_limited',
      usage: { tokensIn: 2400, tokensOut: 68, costUsd: 1 },
      retryAfterSeconds: 20,
    });
    const free = { ...sent, properties: { ...sent.properties, cost: 0 } };
    const { usage } = aiderOutcome(end(0), { events: log(starting, free, exit), history: HEAD });
    expect(usage).toEqual({ tokensIn: 1200, tokensOut: 34, costUsd: null });
  });
});

describe('claude', () => {
  const init = { type: 'system', subtype: 'init', tools: ['Edit'] };
  const result = (more: object) => ({ type: 'result', subtype: 'success', is_error: true, ...more });
  it.each<[string, number | null, unknown[]]>([
    ['done', 0, [init, result({ is_error: false, result: 'API Error: 401 is what it says there' })]],
    ['auth', 1, [init, result({ api_error_status: 401, result: 'Invalid API key · Fix external API key' })]],
    ['auth', 1, [init, result({ result: 'Not logged in · Please run /login' })]],
    [
      'rate_limited',
      1,
      [init, result({ api_error_status: 429, result: 'Request rejected (429) · rate limit' })],
    ],
    [
      'rate_limited',
      1,
      [init, { type: 'system', subtype: 'api_retry', error: 'rate_limit' }, result({ result: 'API Error' })],
    ],
    ['quota', 1, [init, result({ api_error_status: 429, result: 'has reached its monthly usage limit.' })]],
    ['context_overflow', 1, [init, result({ api_error_status: 400, result: 'Prompt is too long' })]],
    [
      'error',
      1,
      [init, result({ api_error_status: 404, result: "There's an issue with the selected model" })],
    ],
    ['error', 1, [init, result({ api_error_status: 529, result: 'Overloaded' })]],
    ['error', 1, [init, result({ subtype: 'error_max_turns', is_error: true })]],
    ['error', 0, [init]],
    ['error', null, [init, result({ is_error: false, result: 'ok' })]],
  ])('%s', (outcome, exitCode, events) => {
    expect(claudeOutcome(end(exitCode, events)).outcome).toBe(outcome);
  });
});

describe('codex', () => {
  const failed = (message: string) => [
    { type: 'error', message: 'Reconnecting... 5/5' },
    { type: 'turn.failed', error: { message } },
  ];
  const completed = { type: 'turn.completed', usage: { input_tokens: 1200, output_tokens: 34 } };
  const change = (status: string) => ({ type: 'item.completed', item: { type: 'file_change', status } });
  it.each<[string, number | null, unknown[]]>([
    [
      'done',
      0,
      [
        { type: 'item.completed', item: { type: 'error', message: 'no metadata' } },
        change('completed'),
        completed,
      ],
    ],
    ['done', 0, [change('failed'), change('completed'), completed]],
    ['error', 0, [change('failed'), completed]],
    ['auth', 1, failed('unexpected status 401 Unauthorized: Incorrect API key provided')],
    ['rate_limited', 1, failed('exceeded retry limit, last status: 429 Too Many Requests')],
    ['quota', 1, failed('Quota exceeded. Check your plan and billing details.')],
    [
      'context_overflow',
      1,
      failed("Codex ran out of room in the model's context window. Start a new thread"),
    ],
    ['error', 1, failed('The model `fake` does not exist or you do not have access to it.')],
    ['error', 1, failed('stream disconnected before completion')],
    ['error', 0, [{ type: 'turn.started' }]],
    ['error', null, [completed]],
  ])('%s', (outcome, exitCode, events) => {
    expect(codexOutcome(end(exitCode, events)).outcome).toBe(outcome);
  });
});

describe('opencode', () => {
  const failure = (name: string, data: object) => ({ type: 'error', error: { name, data } });
  const step = {
    type: 'step_finish',
    part: { cost: 0, tokens: { input: 1200, output: 34, cache: { read: 5, write: 0 } } },
  };
  it.each<[string, number | null, unknown[]]>([
    ['done', 0, [step, { type: 'text', part: { text: '{"type":"error"}' } }]],
    ['auth', 1, [failure('APIError', { message: 'Incorrect API key provided', statusCode: 401 })]],
    ['auth', 1, [failure('ProviderAuthError', { message: 'x' })]],
    ['rate_limited', 1, [failure('APIError', { message: 'Rate limit reached', statusCode: 429 })]],
    ['quota', 1, [failure('APIError', { message: 'You exceeded your current quota', statusCode: 429 })]],
    [
      'context_overflow',
      1,
      [failure('ContextOverflowError', { message: "This model's maximum context length" })],
    ],
    ['error', 1, [failure('APIError', { message: 'The model does not exist', statusCode: 404 })]],
    ['error', 1, [failure('UnknownError', {})]],
    ['error', 0, [{ type: 'step_start' }]],
    ['error', null, [step]],
  ])('%s', (outcome, exitCode, events) => {
    expect(opencodeOutcome(end(exitCode, events)).outcome).toBe(outcome);
  });

  it('counts all steps, and waits as long as a header says', () => {
    expect(opencodeOutcome(end(0, [step, step])).usage).toEqual({
      tokensIn: 2410,
      tokensOut: 68,
      costUsd: null,
    });
    const data = { message: 'Rate limit', statusCode: 429, responseHeaders: { 'retry-after': '7' } };
    expect(opencodeOutcome(end(1, [failure('APIError', data)])).retryAfterSeconds).toBe(7);
  });
});

describe('gemini', () => {
  const failure = (code: number, message: string) =>
    `Loaded cached credentials.\n${JSON.stringify({ session_id: 's', error: { type: 'Error', message, code } }, null, 2)}\n`;
  const good = JSON.stringify({ response: 'said {"error":{}}', stats: { models: {} } }, null, 2);
  it.each<[string, number | null, string, string]>([
    ['done', 0, good, 'warning: a keychain is not there\n'],
    ['auth', 145, '', failure(401, 'Request had invalid authentication credentials.')],
    ['auth', 144, '', failure(400, 'API key not valid. Please pass a valid API key.')],
    ['auth', 145, '', 'no JSON at all'],
    ['rate_limited', 173, '', failure(429, 'Resource has been exhausted. Please retry in 20s.')],
    ['quota', 173, '', failure(429, 'You exceeded your current quota, please check your plan')],
    ['quota', 173, '', failure(429, 'You have exhausted your daily quota on this model.')],
    ['rate_limited', 173, '', failure(429, 'Resource has been exhausted (e.g. check quota).')],
    ['rate_limited', 173, '', failure(429, 'Quota exceeded for metric per minute. Please retry in 20.5s.')],
    [
      'context_overflow',
      144,
      '',
      failure(400, 'The input token count (9001) exceeds the maximum number of tokens'),
    ],
    ['error', 148, '', failure(404, 'models/fake is not found')],
    ['error', 244, '', failure(500, 'Internal error')],
    ['auth', 41, '', 'Invalid auth method selected.'],
    ['error', 0, '', ''],
    ['error', null, good, ''],
  ])('%s', (outcome, exitCode, out, err) => {
    expect(geminiOutcome(end(exitCode, out, err)).outcome).toBe(outcome);
  });

  it('passes on what the provider said, not its spelling', () => {
    const inner = JSON.stringify({ error: { code: 401, message: 'Request had invalid credentials.' } });
    expect(geminiOutcome(end(145, '', failure(401, inner))).message).toBe('Request had invalid credentials.');
  });
});

describe('copilot', () => {
  const failure = (errorType: string, statusCode: number | undefined, message: string) => ({
    type: 'session.error',
    data: { errorType, statusCode, message },
  });
  const result = (exitCode: number) => ({ type: 'result', exitCode });
  it.each<[string, number | null, unknown[]]>([
    ['done', 0, [{ type: 'assistant.message', data: { content: 'session.error' } }, result(0)]],
    ['auth', 1, [failure('authentication', 401, 'Unauthorized'), result(1)]],
    ['auth', 1, [failure('authentication', undefined, 'No authentication information found.'), result(1)]],
    ['rate_limited', 1, [failure('rate_limit', 429, 'Too many requests'), result(1)]],
    ['quota', 1, [failure('rate_limit', 429, 'You exceeded your current quota'), result(1)]],
    ['context_overflow', 1, [failure('query', 400, 'maximum context length is 8192 tokens'), result(1)]],
    ['error', 1, [failure('query', 500, 'The server had an error'), result(1)]],
    ['error', 1, []],
    ['error', 0, [{ type: 'session.start' }]],
    ['error', null, [result(0)]],
  ])('%s', (outcome, exitCode, events) => {
    expect(copilotOutcome(end(exitCode, events), '').outcome).toBe(outcome);
  });
});

describe('a registered tool', () => {
  const rules: RegisteredTool = {
    prompt: 'stdin',
    outcomes: [
      { outcome: 'quota', exitCode: 3, pattern: 'quota' },
      { outcome: 'auth', pattern: '^Error: 401\\b' },
      { outcome: 'done', exitCode: 10 },
      { outcome: 'bad_edit', json: { path: 'result.kind', equals: 'no_match' } },
    ],
    usage: { tokensIn: 'usage.in', tokensOut: 'usage.out', costUsd: 'usage.usd' },
  };
  it.each<[string, number | null, string, string]>([
    ['done', 0, 'fine', ''],
    ['error', 1, 'fine', ''],
    ['error', null, '', ''],
    ['quota', 3, 'over quota', ''],
    ['error', 4, 'over quota', ''],
    ['auth', 0, '', 'Error: 401 no'],
    ['done', 0, 'He said: Error: 401 no', ''],
    ['done', 10, '', ''],
    ['bad_edit', 1, '{"result": {"kind": "no_match"}}', ''],
    ['bad_edit', 1, 'text\n{\n  "result": {\n    "kind": "no_match"\n  }\n}\n', ''],
  ])('%s', (outcome, exitCode, out, err) => {
    expect(registeredOutcome(end(exitCode, out, err), rules).outcome).toBe(outcome);
  });

  it('tells what was used, by its last words about it', () => {
    const out = '{"usage": {"in": 1, "out": 2, "usd": -1}}\n{"usage": {"in": 5, "out": 6}}\n';
    expect(registeredOutcome(end(0, out), rules).usage).toEqual({ tokensIn: 5, tokensOut: 6, costUsd: null });
  });

  it('waits for its own time alone: that in which this process stood still does not count', () => {
    let calls = 0;
    const standsStill = {
      toString: () => {
        calls += 1;
        if (calls === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
        return '^half';
      },
    };
    expect(matchesSome(standsStill as unknown as string, 'half of it', 1_500)).toBe(true);
  });

  it('is not held up by an expression that would take for ever, and is no success then', () => {
    const slow: RegisteredTool = {
      prompt: 'stdin',
      outcomes: [{ outcome: 'auth', pattern: '^(\\w+\\s?)*$' }],
    };
    const begun = process.cpuUsage();
    expect(registeredOutcome(end(0, `${'words '.repeat(300)}!`), slow).outcome).toBe('error');
    expect(process.cpuUsage(begun).user).toBeLessThan(20_000_000);
  });
});

describe('words of a provider', () => {
  it.each<[string, number | null]>([
    ['Please try again in 20s.', 20],
    ['Please try again in 1m30s.', 90],
    ['Please retry in 20.5s.', 20.5],
    ['try again in 250ms', 0.25],
    ['Retry-After: 3600', 3600],
    ['"retryAfter": 60', 60],
    ['retry after 2 hours', 7200],
    ['Try again later or check your quotas.', null],
    ['', null],
  ])('%j wait %s s', (text, seconds) => {
    expect(retryAfterIn(text)).toBe(seconds);
  });

  it('are read quickly, whatever they are', () => {
    // Of its own time: the machine may be busy.
    const begun = process.cpuUsage();
    for (const text of [
      'retry '.repeat(50_000),
      'quota'.repeat(50_000),
      'in 1'.repeat(50_000),
      'exceeds the '.repeat(20_000),
    ]) {
      retryAfterIn(text);
      outcomeOfProviderError({ status: null, text });
    }
    expect(process.cpuUsage(begun).user).toBeLessThan(10_000_000);
  });
});
