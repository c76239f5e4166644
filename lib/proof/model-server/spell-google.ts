import { USAGE } from './modes.ts';
import type { Reply } from './reply.ts';
import type { Spoken } from './spoken.ts';

/** A reply as Google's generateContent says it. */
export function spellGemini({ text, call }: Reply, model: string, id: string): Spoken {
  const parts = [
    ...(text === '' && call !== null ? [] : [{ text }]),
    ...(call === null ? [] : [{ functionCall: { id: `call_${id}`, name: call.tool, args: call.input } }]),
  ];
  const { tokensIn, tokensOut } = USAGE;
  const whole = {
    candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }],
    usageMetadata: {
      promptTokenCount: tokensIn,
      candidatesTokenCount: tokensOut,
      totalTokenCount: tokensIn + tokensOut,
    },
    modelVersion: model,
    responseId: id,
  };
  return { whole, stream: [`data: ${JSON.stringify(whole)}\r\n\r\n`] };
}
