/** What the fake model server may answer; each for all of its APIs. */
export const MODES = [
  'text',
  'edit',
  '401',
  '404',
  '429',
  'quota',
  '5xx',
  'context_overflow',
  'empty',
  'dropped',
  'never',
  'wrong_then_right',
] as const;
export type Mode = (typeof MODES)[number];

/** What each answer says that it used, whatever was asked: so that tests can tell the numbers. */
export const USAGE = { tokensIn: 1200, tokensOut: 34 } as const;

/** One change that an `edit` answer asks for. `old: null`: `new` is the whole content of the file. */
export type Edit = { path: string; old: string | null; new: string };

/** An edit that fits no file. */
export function wrongOf({ path, new: text }: Edit): Edit {
  return { path, old: 'a line that no file of this repository has\n', new: text };
}

/** What a server says until it is told otherwise. */
export type Script = {
  /** One for each request that is about the task; the last one repeats. */
  modes: readonly Mode[];
  /** What an edit answer changes; a function is asked with all text of the request. */
  edits: readonly Edit[] | ((prompt: string) => readonly Edit[]);
  /** What a `text` answer says, and what ends a run of tools. */
  text: string;
  /** Of `429`. */
  retryAfterSeconds: number;
};

export const DEFAULT_SCRIPT: Script = {
  modes: ['text'],
  edits: [],
  text: 'There is nothing left to be done here.',
  retryAfterSeconds: 1,
};

/** How long a `quota` answer says to wait. */
export const QUOTA_RETRY_SECONDS = 3_600;
