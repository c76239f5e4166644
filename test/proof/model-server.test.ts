import { afterEach, describe, expect, it } from 'vitest';
import { MODES, type Mode, type Script, USAGE } from '../../lib/proof/model-server/modes.ts';
import { type ModelServer, startModelServer } from '../../lib/proof/model-server/server.ts';

/** The four ways of asking, each with and without a stream. */

const PROMPT = 'Change one to two.';
const MESSAGES = [{ role: 'user', content: PROMPT }];
const TOOL = {
  name: 'edit',
  parameters: {
    type: 'object',
    properties: {
      file_path: { type: 'string' },
      old_string: { type: 'string' },
      new_string: { type: 'string' },
    },
    required: ['file_path', 'old_string', 'new_string'],
  },
};
const CALL = { file_path: 'a.txt', old_string: 'one\n', new_string: 'two\n' };
const EDITS = [{ path: 'a.txt', old: 'one\n', new: 'two\n' }];

type Way = { name: string; path: string; body: object; tools: object; result: (body: object) => object };

const chat = { model: 'm', messages: MESSAGES };
const WAYS: readonly Way[] = [
  {
    name: 'chat completions',
    path: '/v1/chat/completions',
    body: chat,
    tools: { tools: [{ type: 'function', function: TOOL }] },
    result: (body) => ({
      ...body,
      messages: [...MESSAGES, { role: 'assistant', content: '' }, { role: 'tool', content: 'ok' }],
    }),
  },
  {
    name: 'responses',
    path: '/v1/responses',
    body: { model: 'm', input: MESSAGES },
    tools: { tools: [{ type: 'function', ...TOOL }] },
    result: (body) => ({
      ...body,
      input: [...MESSAGES, { type: 'function_call' }, { type: 'function_call_output', output: 'ok' }],
    }),
  },
  {
    name: 'messages',
    path: '/v1/messages',
    body: chat,
    tools: { tools: [{ name: TOOL.name, input_schema: TOOL.parameters }] },
    result: (body) => ({
      ...body,
      messages: [
        ...MESSAGES,
        { role: 'assistant', content: [] },
        { role: 'user', content: [{ type: 'tool_result', content: 'ok' }] },
      ],
    }),
  },
  {
    name: 'generateContent',
    path: '/v1beta/models/m:generateContent',
    body: { contents: [{ role: 'user', parts: [{ text: PROMPT }] }] },
    tools: { tools: [{ functionDeclarations: [TOOL] }] },
    result: (body) => ({
      ...body,
      contents: [
        { role: 'user', parts: [{ text: PROMPT }] },
        { role: 'model', parts: [] },
        { role: 'user', parts: [{ functionResponse: { name: 'edit' } }] },
      ],
    }),
  },
];

let server: ModelServer | null = null;
afterEach(() => server?.close());

async function start(script: Partial<Script>): Promise<ModelServer> {
  server = await startModelServer(script);
  return server;
}

async function ask({ path }: Way, body: object, stream = false): Promise<Response> {
  const at = stream ? path.replace(':generate', ':streamGenerate') : path;
  return fetch(`${server?.url}${at}`, {
    method: 'POST',
    headers: { authorization: 'Bearer a-key' },
    body: JSON.stringify(stream ? { ...body, stream } : body),
  });
}

const STATUS: Partial<Record<Mode, number>> = {
  '401': 401,
  '404': 404,
  '429': 429,
  quota: 429,
  '5xx': 500,
  context_overflow: 400,
};
const ANSWERS: readonly Mode[] = ['text', 'edit', 'empty', 'wrong_then_right'];

describe.each(WAYS)('asked by $name', (way) => {
  it.each(MODES.filter((mode) => STATUS[mode] !== undefined))(
    '%s is a fault with its status',
    async (mode) => {
      await start({ modes: [mode] });
      for (const stream of [false, true]) {
        const response = await ask(way, way.body, stream);
        expect(response.status).toBe(STATUS[mode]);
        const wait = mode === '429' ? '1' : mode === 'quota' ? '3600' : null;
        expect(response.headers.get('retry-after')).toBe(wait);
        expect(await response.json()).toHaveProperty('error.message');
      }
    },
  );

  it.each(ANSWERS)('%s is an answer with known numbers, streamed or not', async (mode) => {
    for (const stream of [false, true]) {
      await start({ modes: [mode], edits: EDITS });
      const response = await ask(way, way.body, stream);
      expect(response.status).toBe(200);
      const text = await response.text();
      expect(text.includes(`:${USAGE.tokensIn}`) && text.includes(`:${USAGE.tokensOut}`)).toBe(true);
      expect(text.includes('<<<<<<< SEARCH')).toBe(false);
      expect(text.includes('data: ')).toBe(stream);
      await server?.close();
    }
  });

  it('writes an edit by the tool that is offered, and ends once that has answered', async () => {
    await start({ modes: ['edit'], edits: EDITS });
    const body = { ...way.body, ...way.tools };
    for (const stream of [false, true]) {
      const first = await (await ask(way, body, stream)).text();
      for (const [name, value] of Object.entries(CALL)) {
        expect(first).toContain(name);
        expect(first.replaceAll('\\\\', '\\')).toContain(JSON.stringify(value).slice(1, -1));
      }
      const last = await (await ask(way, way.result(body), stream)).text();
      expect(last).toContain('nothing left');
      expect(last).not.toContain('old_string');
    }
  });

  it('drops the connection in the middle of an answer', async () => {
    await start({ modes: ['dropped'] });
    for (const stream of [false, true]) {
      const response = await ask(way, way.body, stream);
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow();
    }
  });

  it('never answers, until it is closed', async () => {
    await start({ modes: ['never'] });
    const answer = ask(way, way.body).then(
      () => 'answered',
      () => 'refused',
    );
    await expect.poll(() => server?.asked().length).toBe(1);
    await server?.close();
    expect(await answer).toBe('refused');
  });

  it('notes what it was asked, and no key', async () => {
    await start({ modes: ['text'] });
    await ask(way, way.body);
    expect(server?.asked()).toMatchObject([
      { hasKey: true, model: 'm', isStream: false, mode: 'text', isTask: true },
    ]);
    expect(server?.asked()[0]?.prompt).toContain(PROMPT);
    expect(JSON.stringify(server?.met())).not.toContain('a-key');
  });
});

describe('the script', () => {
  const [way] = WAYS as [Way];
  const body = (prompt: string): object => ({ model: 'm', messages: [{ role: 'user', content: prompt }] });
  const textOf = async (prompt: string): Promise<string> => {
    const answer = (await (await ask(way, body(prompt))).json()) as {
      choices: { message: { content: string } }[];
    };
    return answer.choices[0]?.message.content ?? '';
  };

  it('is played one mode a request, and its last one repeats', async () => {
    await start({ modes: ['401', '429', 'text'] });
    const statuses: number[] = [];
    for (let at = 0; at < 4; at += 1) statuses.push((await ask(way, way.body)).status);
    expect(statuses).toEqual([401, 429, 200, 200]);
    server?.play({ modes: ['5xx'] });
    expect((await ask(way, way.body)).status).toBe(500);
  });

  it('is not used up by a request for a title', async () => {
    await start({ modes: ['text', '401'] });
    const title = {
      model: 'm',
      messages: [{ role: 'system', content: 'You are a title generator.' }, ...MESSAGES],
    };
    expect((await ask(way, title)).status).toBe(200);
    expect((await ask(way, way.body)).status).toBe(200);
    expect(server?.asked().map(({ isTask }) => isTask)).toEqual([false, true]);
  });

  it('takes edits from what is asked, in the form that the prompt shows', async () => {
    const edits = (prompt: string) =>
      prompt.includes('first') ? EDITS : [{ path: 'b.txt', old: null, new: 'b\n' }];
    await start({ modes: ['edit'], edits });
    expect(await textOf('first, in SEARCH blocks')).toContain(
      'a.txt\n```\n<<<<<<< SEARCH\none\n=======\ntwo\n>>>>>>> REPLACE',
    );
    expect(await textOf('then, as <<<<<<< WHOLE FILE')).toContain(
      'FILE: b.txt\n<<<<<<< WHOLE FILE\nb\n>>>>>>> WHOLE FILE',
    );
    expect(await textOf('first, whole:\na.txt\n```\none\nmore\n```')).toContain('a.txt\n```\ntwo\nmore\n```');
  });

  it('gives a wrong edit first, then the right one', async () => {
    await start({ modes: ['wrong_then_right'], edits: EDITS });
    expect(await textOf('SEARCH')).not.toContain('\none\n');
    expect(await textOf('SEARCH')).toContain('<<<<<<< SEARCH\none\n=======\ntwo\n');
  });

  it('may be changed from outside, and is refused where it is none', async () => {
    await start({ modes: ['text'] });
    const put = (script: unknown): Promise<Response> =>
      fetch(`${server?.url}/_script`, { method: 'PUT', body: JSON.stringify(script) });
    expect((await put({ modes: ['401'] })).status).toBe(200);
    expect((await ask(way, way.body)).status).toBe(401);
    expect((await put({ modes: ['no such mode'] })).status).toBe(400);
    expect((await ask(way, way.body)).status).toBe(401);
  });
});
