/** Texts that end up in records and on terminals. */

/** `text` cut at `maxBytes` of UTF-8 at a character border, the cut marked with `…`. */
export function cutText(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const room = maxBytes - Buffer.byteLength('…');
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += Buffer.byteLength(character);
    if (used > room) break;
    end += character.length;
  }
  return `${text.slice(0, end)}…`;
}

/** C0, DEL, C1, line separators, and the marks that reverse text in a terminal. Joiners are left: emoji need them. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]/g;

const spelled = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** `text` on one line, each character that a terminal does not show spelled as `\uXXXX`. */
export function spellControls(text: string): string {
  return text.replace(CONTROLS, spelled);
}

/** `text` with control characters (ANSI escapes, newlines, bidi overrides) made visible as escapes. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (character) => {
    if (character === '\n') return '\\n';
    return character === '\t' ? '\\t' : spelled(character);
  });
}

/** JSON on one line that is harmless on a terminal too: JSON itself leaves C1 controls and bidi marks as they are. */
export function jsonLine(value: unknown): string {
  return `${spellControls(JSON.stringify(value))}\n`;
}
