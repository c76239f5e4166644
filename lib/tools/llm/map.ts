/** What a model is told of files that it is not shown: names, as many as fit. */

/** A name with others cannot be asked for, and could say anything. */
const isPlain = (path: string): boolean => !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(path);

/** The tree as a list of paths or, where that is too long, of folders with their number of files; at most `maxBytes`. */
export function treeMap(paths: readonly string[], maxBytes: number): string {
  const plain = paths.filter(isPlain);
  const full = plain.join('\n');
  if (Buffer.byteLength(full) <= maxBytes) return full;
  for (let depth = 6; depth > 0; depth -= 1) {
    const map = foldersAt(plain, depth).join('\n');
    if (Buffer.byteLength(map) <= maxBytes) return map;
  }
  return cutLines(foldersAt(plain, 1), maxBytes);
}

/** `a/b/ (12 files)`: folders down to a depth, and files that lie higher. */
function foldersAt(paths: readonly string[], depth: number): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const names = path.split('/');
    const key = names.length > depth ? `${names.slice(0, depth).join('/')}/` : path;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => (key.endsWith('/') ? `${key} (${count} files)` : key));
}

/** As many of the lines as fit, and how many more there are. */
export function cutLines(lines: readonly string[], maxBytes: number): string {
  let used = 0;
  const kept: string[] = [];
  for (const line of lines) {
    used += Buffer.byteLength(line) + 1;
    if (used > maxBytes) break;
    kept.push(line);
  }
  const left = lines.length - kept.length;
  return [...kept, ...(left > 0 ? [`(and ${left} more)`] : [])].join('\n');
}
