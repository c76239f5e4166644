/** Words of a text that may be paths, as people write them. Pure, and without the rest of the plan's room. */

const WORD = /[^\s"'`<>()[\];|=→]+/g;

/** Words without quotes, brackets, `./` before them or punctuation behind them. */
export function pathWords(text: string): string[] {
  const words = text.match(WORD) ?? [];
  const parts = words.flatMap((word) => (word.includes('{') ? [word] : word.split(',')));
  return parts.map((part) => part.replace(/[.,:!?]+$/, '').replace(/^\.\//, ''));
}
