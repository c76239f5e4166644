import picomatch from 'picomatch';

/** Which paths a workstream may change: `files_scope` and `files_create` together. */

const GLOB = /[*?[{]|[@!+]\(/;
/** `flags`: without it `**` would stop at a newline in a name. `strictSlashes`: `a/**` is not `a`. */
const OPTIONS = { dot: true, nonegate: true, windows: false, strictSlashes: true, flags: 's' } as const;

/**
 * True for each path inside the scope. Paths are relative to the repository, with `/` between names. An entry
 * holds the path that it spells and all that lies below it, be it there yet or not; an entry with glob characters
 * holds what it matches too, as in a shell: `*` stops at a `/`, `**` does not, names that begin with a dot count,
 * and a slash at its end stands for all that is below.
 */
export function scopeMatcher(entries: readonly string[]): (path: string) => boolean {
  // `src/**` is `src/`: the folder itself, should it become a link, is inside too.
  const spelled = new Set(entries.map((entry) => entry.replace(/^(?:\.\/)+|\/+(?:\*\*)?$/g, '')));
  if (spelled.has('.') || spelled.has('')) return () => true;
  const globs = entries.filter((entry) => GLOB.test(entry)).flatMap(matchersOf);
  return (path) =>
    selfAndAbove(path).some((one) => spelled.has(one)) || globs.some((matches) => matches(path));
}

/** `a/b/c`, `a/b`, `a`. */
export function selfAndAbove(path: string): string[] {
  const found = [path];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    found.push(path.slice(0, at));
  return found;
}

function matchersOf(entry: string): ((path: string) => boolean)[] {
  const glob = entry.endsWith('/') ? `${entry}**` : entry;
  // Names such as `[id]` and `(group)` are common in web projects: brackets are tried as themselves too.
  const literal = glob.replaceAll(/[[\]()]/g, '\\$&');
  return [...new Set([glob, literal])].map((pattern) => picomatch(pattern, OPTIONS));
}
