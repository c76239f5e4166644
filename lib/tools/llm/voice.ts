/** What goes to the log: lines of orch, and what the model says while it says it. Never a key. */

export type Voice = {
  /** A line of orch's own. */
  note(text: string): void;
  /** More of what the model says, or thinks. It comes out by lines, behind `| ` or `~ `. */
  say(text: string, kind: 'text' | 'thought'): void;
  /** Ends the line that was begun. */
  pause(): void;
};

const MARK = { text: '| ', thought: '~ ' } as const;
/** A line without end is not held back for ever. */
const MAX_HELD = 64 * 1024;

/** A function that takes the key out of a text. */
export function makeMask(key: string | null): (text: string) => string {
  if (key === null || key.length < 4) return (text) => text;
  const forms = new Set([key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1)]);
  return (text) => [...forms].reduce((masked, form) => masked.replaceAll(form, '***'), text);
}

/** A voice that writes to `write`, masked. */
export function makeVoice(mask: (text: string) => string, write: (text: string) => void): Voice {
  let held = '';
  let kind: keyof typeof MARK = 'text';
  const flush = (line: string): void => write(`${MARK[kind]}${mask(line)}\n`);
  const pause = (): void => {
    if (held !== '') flush(held);
    held = '';
  };
  return {
    note: (text) => {
      pause();
      write(`orch: llm: ${mask(text)}\n`);
    },
    say: (text, next) => {
      if (next !== kind) pause();
      kind = next;
      if (text.includes('\n')) {
        const lines = (held + text).split('\n');
        held = lines.pop() ?? '';
        for (const line of lines) flush(line);
      } else held += text;
      if (held.length > MAX_HELD) pause();
    },
    pause,
  };
}
