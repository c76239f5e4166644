/** How many edits make `a` into `b`; two neighbours that changed places are one. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  let before: number[] = [];
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const turned =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (before[j - 2] ?? 0) + 1
          : Infinity;
      next.push(Math.min(swap, turned, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

const SHOWN = 3;

/** The known names that a person may have meant, nearest first, at most three. */
export function nearNames(name: string, known: readonly string[]): string[] {
  const wanted = name.toLowerCase().slice(0, 100);
  const scored = known.map((one) => {
    const other = one.toLowerCase();
    const part = wanted !== '' && (other.startsWith(wanted) || other.includes(wanted));
    return { one, score: part ? 0.5 : distance(wanted, other) };
  });
  const near = scored.filter(({ score, one }) => score <= Math.max(1, Math.floor(one.length / 4)));
  // Array.sort is stable: equals keep the order of the known.
  return near
    .sort((a, b) => a.score - b.score)
    .slice(0, SHOWN)
    .map(({ one }) => one);
}
