import type { Asked } from './ask.ts';
import { type Call, callsFor, canEdit } from './calls.ts';
import { type Mode, type Script, wrongOf } from './modes.ts';
import { plainEdits } from './plain.ts';

/** What a model says when it answers: text, a call of one of the client's tools, or nothing at all. */
export type Reply = { text: string; call: Call | null };

/** How the server meets a request, before any API spells it. */
export type Meeting =
  | { kind: 'reply'; reply: Reply }
  | { kind: 'fault'; mode: FaultMode }
  | { kind: 'dropped'; reply: Reply }
  | { kind: 'never' };

export type FaultMode = Extract<Mode, '401' | '404' | '429' | 'quota' | '5xx' | 'context_overflow'>;

/** `editsGiven`: how many answers with an edit in plain text there were before; the first of `wrong_then_right` is wrong. */
export function meet(mode: Mode, asked: Asked, script: Script, editsGiven: number): Meeting {
  const say = (text: string): Meeting => ({ kind: 'reply', reply: { text, call: null } });
  switch (mode) {
    case 'text':
      return say(script.text);
    case 'empty':
      return say('');
    case 'edit':
    case 'wrong_then_right':
      return { kind: 'reply', reply: editReply(mode, asked, script, editsGiven) };
    case 'dropped':
      return { kind: 'dropped', reply: { text: script.text, call: null } };
    case 'never':
      return { kind: 'never' };
    default:
      return { kind: 'fault', mode };
  }
}

function editReply(mode: Mode, asked: Asked, script: Script, editsGiven: number): Reply {
  const edits = typeof script.edits === 'function' ? script.edits(asked.prompt) : script.edits;
  const [first] = edits;
  const wrong = mode === 'wrong_then_right' && first !== undefined ? [wrongOf(first)] : [];
  if (!canEdit(asked)) {
    const isWrong = wrong.length > 0 && editsGiven === 0;
    return { text: plainEdits(isWrong ? wrong : edits, asked.prompt), call: null };
  }
  const call = callsFor(asked, [...wrong, ...edits])[asked.toolResults] ?? null;
  return { text: call === null ? script.text : 'I change it.', call };
}
