import type { LanguageModel, ModelMessage } from 'ai';
import { failpoint } from '../../failpoint.ts';
import type { View } from '../../git/visible.ts';
import { visibleFiles } from '../../git/visible.ts';
import type { Outcome } from '../../protocol/status.ts';
import { cutText } from '../../protocol/text.ts';
import type { ToolRequest } from '../adapter.ts';
import { type Answer, readAnswer, type Wish } from './answer.ts';
import type { Change, EditFault } from './apply.ts';
import { ask, type Prompt, type Spoken, type Usage } from './ask.ts';
import { changesFor } from './changes.ts';
import type { Clock } from './clock.ts';
import type { Failure } from './failure.ts';
import { TELL_CODE, TELL_CUT, tellFaults } from './feedback.ts';
import { plainPath } from './place.ts';
import { readForModel, showFile, showLines } from './shown.ts';
import type { Voice } from './voice.ts';
import { writeChanges } from './write.ts';

/** The talk with a model about one task: answers are asked for until one can be carried out, within bounds. */

/** Answers with edits that may be tried, and answers that only ask to read. */
const MAX_TRIES = 3;
const MAX_READS = 4;
const MAX_WISHES = 20;
const READ_FILE_BYTES = 64 * 1024;

export type Talk = {
  model: LanguageModel;
  request: Pick<ToolRequest, 'worktree' | 'files'>;
  view: View;
  clock: Clock;
  voice: Voice;
  /** Of files that the model asks for, in all. */
  readBytes: number;
  /** Files that the opening shows from the first line to the last. */
  seen: readonly string[];
};

export type Result =
  | { kind: 'ended'; outcome: Extract<Outcome, 'done' | 'bad_edit' | 'error'>; message: string }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'bound' };

/** `usage` is that of all rounds; null where no round told any. */
export async function converse(
  talk: Talk,
  { system, messages: opening }: Prompt,
): Promise<{ result: Result; usage: Usage | null }> {
  const messages = [...opening];
  const state: State = {
    tries: 0,
    reads: 0,
    leftBytes: talk.readBytes,
    missed: new Set(),
    seen: new Set(talk.seen),
    wasNudged: false,
  };
  let usage: Usage | null = null;
  for (let round = 1; ; round += 1) {
    talk.voice.note(`round ${round}: asked, ${lengthOf(messages)} characters`);
    failpoint('tools.model.ask');
    const asked = await ask(talk.model, { system, messages }, talk);
    if (asked.kind === 'bound') return { result: { kind: 'bound' }, usage };
    usage = sum(usage, asked.kind === 'spoken' ? asked.spoken.usage : asked.usage);
    if (asked.kind === 'failed') return { result: { kind: 'failed', failure: asked.failure }, usage };
    const next = await answerTo(asked.spoken, state, talk);
    if (next.kind !== 'reply') return { result: next, usage };
    messages.push({ role: 'assistant', content: asked.spoken.text }, { role: 'user', content: next.text });
  }
}

type State = {
  tries: number;
  reads: number;
  leftBytes: number;
  /** Files of which a block was not found in an earlier answer. */
  missed: Set<string>;
  /** Files that the model has seen from the first line to the last. */
  seen: Set<string>;
  wasNudged: boolean;
};

const lengthOf = (messages: readonly ModelMessage[]): number =>
  messages.reduce((length, { content }) => length + (typeof content === 'string' ? content.length : 0), 0);

function sum(one: Usage | null, other: Usage | null): Usage | null {
  if (one === null || other === null) return one ?? other;
  return { tokensIn: one.tokensIn + other.tokensIn, tokensOut: one.tokensOut + other.tokensOut };
}

type Next = Result | { kind: 'reply'; text: string };
const ended = (outcome: 'done' | 'bad_edit' | 'error', message: string): Result => ({
  kind: 'ended',
  outcome,
  message,
});

/** What becomes of one answer: an end, or what is said back. */
async function answerTo(spoken: Spoken, state: State, talk: Talk): Promise<Next> {
  if (spoken.finish === 'filtered') return ended('error', 'the provider’s filter stopped the answer');
  if (spoken.text.trim() === '') return ended('error', 'the model said nothing');
  const answer = readAnswer(spoken.text);
  const isCut = spoken.finish === 'cut';
  // An answer with a wish is a question: its edits were made without having seen what it asks for.
  if (answer.wishes.length > 0 && !isCut) {
    const reply = await tellFiles(answer.wishes, state, talk);
    if (reply !== null) return { kind: 'reply', text: reply };
    if (answer.edits.length === 0) return ended('bad_edit', 'the model asked for more files than it may');
  }
  if (answer.edits.length === 0 && answer.faults.length === 0 && !isCut) {
    if (!answer.hasFence || state.wasNudged) return ended('done', 'the model gave no edit');
    state.wasNudged = true;
    return { kind: 'reply', text: TELL_CODE };
  }
  return tryEdits(answer, isCut, state, talk);
}

async function tryEdits(answer: Answer, isCut: boolean, state: State, talk: Talk): Promise<Next> {
  state.tries += 1;
  const applied = await changesFor(answer.edits, talk.view, {
    isInside: talk.request.files.isInside,
    isSeen: (path) => state.seen.has(path),
  });
  if (Array.isArray(applied) && answer.faults.length === 0 && !isCut) {
    if (talk.clock.reached() !== null) return { kind: 'bound' };
    writeChanges(talk.view.path, applied);
    failpoint('tools.model.written');
    for (const line of summaryOf(applied)) talk.voice.note(line);
    return ended('done', `${applied.length} ${applied.length === 1 ? 'file' : 'files'} changed`);
  }
  const faults = Array.isArray(applied) ? [] : applied.faults;
  const first = isCut ? 'the answer was cut off' : firstOf(answer, faults);
  talk.voice.note(`cannot be carried out: ${first}`);
  if (state.tries >= MAX_TRIES)
    return ended('bad_edit', `no answer of ${MAX_TRIES} could be carried out; the last one: ${first}`);
  const text = isCut ? TELL_CUT : tellFaults(answer.faults, faults, state);
  for (const { path, miss } of faults) if (miss !== null) state.missed.add(path);
  return { kind: 'reply', text };
}

function firstOf(answer: Answer, faults: readonly EditFault[]): string {
  const [wrong] = answer.faults;
  if (wrong !== undefined) return wrong.what;
  const [fault] = faults;
  return fault === undefined ? 'nothing is known of why' : `${JSON.stringify(fault.path)}: ${fault.what}`;
}

function summaryOf(changes: readonly Change[]): string[] {
  if (changes.length === 0) return ['all is as the answer says already'];
  const WORD = { write: 'written', copy: 'moved here', remove: 'removed' } as const;
  return changes.map(({ kind, path }) => `${WORD[kind]}: ${JSON.stringify(path)}`);
}

/** The files that a model asked for, or null where it has asked often enough. */
async function tellFiles(wishes: readonly Wish[], state: State, talk: Talk): Promise<string | null> {
  state.reads += 1;
  if (state.reads > MAX_READS) return null;
  const visible = new Set(await visibleFiles(talk.view));
  const parts: string[] = [];
  for (const wish of wishes.slice(0, MAX_WISHES)) {
    const part = tellFile(wish, visible, state, talk);
    state.leftBytes -= Buffer.byteLength(part);
    parts.push(part);
  }
  const over = wishes.length > MAX_WISHES ? [`Only ${MAX_WISHES} files are shown at once.`] : [];
  const last = state.reads === MAX_READS ? ['No more files can be asked for: give your edits now.'] : [];
  talk.voice.note(
    `it asks to read: ${wishes.map(({ path }) => cutText(JSON.stringify(path), 200)).join(', ')}`,
  );
  return ['Nothing was changed yet. What you asked to read:', ...parts, ...over, ...last].join('\n\n');
}

function tellFile(wish: Wish, visible: ReadonlySet<string>, state: State, { view }: Talk): string {
  const path = plainPath(wish.path);
  const name = JSON.stringify(cutText(path, 300));
  if (state.leftBytes <= 0) return `${name}: no more can be read in this task.`;
  const read = readForModel(view.path, visible, path);
  if (read.kind === 'no') return `${name}: ${read.why}.`;
  const room = Math.min(state.leftBytes, READ_FILE_BYTES);
  if (wish.lines === null && read.bytes <= room) state.seen.add(path);
  return wish.lines === null
    ? showFile(path, read.file, read.bytes, room)
    : showLines(path, read.file, wish.lines, room);
}
