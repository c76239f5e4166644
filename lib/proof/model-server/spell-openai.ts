import { USAGE } from './modes.ts';
import type { Reply } from './reply.ts';
import type { Spoken } from './spoken.ts';

const { tokensIn, tokensOut } = USAGE;
const TOTAL = tokensIn + tokensOut;

/** A reply as OpenAI's chat completions say it. */
export function spellChat(reply: Reply, model: string, id: string): Spoken {
  const { text, call } = reply;
  const head = { id: `chatcmpl-${id}`, created: 1_764_000_000, model };
  const calls =
    call === null
      ? {}
      : {
          tool_calls: [
            {
              id: `call_${id}`,
              type: 'function',
              function: { name: call.tool, arguments: argumentsOf(call.input) },
            },
          ],
        };
  const finish = call === null ? 'stop' : 'tool_calls';
  const usage = { prompt_tokens: tokensIn, completion_tokens: tokensOut, total_tokens: TOTAL };
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    data({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] });
  const streamedCalls = calls.tool_calls?.map((one, index) => ({ index, ...one }));
  return {
    whole: {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: text, ...calls }, finish_reason: finish }],
      usage,
    },
    stream: [
      chunk({ role: 'assistant', content: '' }),
      ...(text === '' ? [] : [chunk({ content: text })]),
      ...(streamedCalls === undefined ? [] : [chunk({ tool_calls: streamedCalls })]),
      chunk({}, finish),
      data({ ...head, object: 'chat.completion.chunk', choices: [], usage }),
      'data: [DONE]\n\n',
    ],
  };
}

/** A reply as OpenAI's responses say it. */
export function spellResponses(reply: Reply, model: string, id: string): Spoken {
  const usage = {
    input_tokens: tokensIn,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: tokensOut,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: TOTAL,
  };
  const output = itemsOf(reply, id);
  const response = { id: `resp_${id}`, object: 'response', created_at: 1_764_000_000, model };
  const whole = { ...response, status: 'completed', output, usage };
  let number = 0;
  const event = (type: string, rest: object): string => {
    number += 1;
    return named(type, { type, sequence_number: number, ...rest });
  };
  return {
    whole,
    stream: [
      event('response.created', { response: { ...response, status: 'in_progress', output: [] } }),
      ...output.flatMap((item, output_index) => streamItem(item, output_index, event)),
      event('response.completed', { response: whole }),
    ],
  };
}

type Item = ReturnType<typeof itemsOf>[number];

function itemsOf({ text, call }: Reply, id: string) {
  const message = {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text, annotations: [] }],
  } as const;
  const asked =
    call === null
      ? []
      : typeof call.input === 'string'
        ? [
            {
              id: `ctc_${id}`,
              type: 'custom_tool_call',
              status: 'completed',
              call_id: `call_${id}`,
              name: call.tool,
              input: call.input,
            } as const,
          ]
        : [
            {
              id: `fc_${id}`,
              type: 'function_call',
              status: 'completed',
              call_id: `call_${id}`,
              name: call.tool,
              arguments: JSON.stringify(call.input),
            } as const,
          ];
  return [...(text === '' ? [] : [message]), ...asked];
}

function streamItem(
  item: Item,
  output_index: number,
  event: (type: string, rest: object) => string,
): string[] {
  const place = { item_id: item.id, output_index };
  const begun = event('response.output_item.added', {
    output_index,
    item: { ...item, status: 'in_progress', ...emptied(item) },
  });
  const ended = (): string => event('response.output_item.done', { output_index, item });
  if (item.type !== 'message') return [begun, ended()];
  const [part] = item.content;
  const at = { ...place, content_index: 0 };
  return [
    begun,
    event('response.content_part.added', { ...at, part: { ...part, text: '' } }),
    event('response.output_text.delta', { ...at, delta: part.text }),
    event('response.output_text.done', { ...at, text: part.text }),
    event('response.content_part.done', { ...at, part }),
    ended(),
  ];
}

function emptied(item: Item): object {
  if (item.type === 'message') return { content: [] };
  return item.type === 'function_call' ? { arguments: '' } : { input: '' };
}

const argumentsOf = (input: Record<string, unknown> | string): string =>
  typeof input === 'string' ? input : JSON.stringify(input);
const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (type: string, value: object): string => `event: ${type}\n${data(value)}`;
