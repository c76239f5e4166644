import { USAGE } from './modes.ts';
import type { Reply } from './reply.ts';
import type { Spoken } from './spoken.ts';

/** A reply as Anthropic's messages say it. */
export function spellMessages({ text, call }: Reply, model: string, id: string): Spoken {
  const usage = {
    input_tokens: USAGE.tokensIn,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: USAGE.tokensOut,
  };
  const blocks = [
    ...(text === '' ? [] : [{ type: 'text', text } as const]),
    ...(call === null
      ? []
      : [{ type: 'tool_use', id: `toolu_${id}`, name: call.tool, input: call.input } as const]),
  ];
  const stop_reason = call === null ? 'end_turn' : 'tool_use';
  const message = { id: `msg_${id}`, type: 'message', role: 'assistant', model, stop_sequence: null };
  const started = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } };
  return {
    whole: { ...message, content: blocks, stop_reason, usage },
    stream: [
      event('message_start', { message: started }),
      ...blocks.flatMap((block, index) => [
        event('content_block_start', {
          index,
          content_block: block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} },
        }),
        event('content_block_delta', {
          index,
          delta:
            block.type === 'text'
              ? { type: 'text_delta', text: block.text }
              : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
        }),
        event('content_block_stop', { index }),
      ]),
      event('message_delta', { delta: { stop_reason, stop_sequence: null }, usage }),
      event('message_stop', {}),
    ],
  };
}

const event = (type: string, rest: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
