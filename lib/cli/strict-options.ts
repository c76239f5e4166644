import { OrchError } from '../errors.ts';

/** What yargs knows of the options of a command, by name. */
export type KnownOptions = {
  boolean: readonly string[];
  string: readonly string[];
  number: readonly string[];
  array: readonly string[];
  alias: Readonly<Record<string, readonly string[]>>;
};

type Kind = 'switch' | 'value' | 'list' | null;
type Given = { name: string; written: string; value: string | undefined; next: string | undefined };

const NUMBER = /^-\d+(?:\.\d+)?$/;

/**
 * Refuses what yargs would pass over or make something else of: an option without its value (the default would be
 * taken), a value given to a switch (`--dry-run=yes` would be false), an option that takes one value given twice.
 * @throws OrchError USAGE.
 */
export function refuseMisused(argv: readonly string[], known: KnownOptions, hint: string): void {
  const seen = new Set<string>();
  for (const given of givenOptions(argv, known)) {
    const { name, written, value } = given;
    const kind = kindOf(name, known);
    const fault = (message: string): OrchError => new OrchError('USAGE', `${written} ${message}`, { hint });
    if (kind === 'switch' && value !== undefined && value !== 'true' && value !== 'false')
      throw fault(`is a switch: it takes no value, not ${JSON.stringify(value)}`);
    if ((kind === 'value' || kind === 'list') && !hasValue(given)) throw fault('needs a value');
    if (kind === 'value' && seen.has(name)) throw fault('is given more than once');
    seen.add(name);
  }
}

function* givenOptions(argv: readonly string[], known: KnownOptions): Generator<Given> {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  for (const [at, word] of words.entries()) {
    const [, written = '', raw = '', equals, value = ''] =
      /^(--?([^=-][^=]*))(=([\s\S]*))?$/.exec(word) ?? [];
    if (raw === '' || NUMBER.test(word)) continue;
    const named = Object.entries(known.alias).find(([, aliases]) => aliases.includes(raw))?.[0] ?? raw;
    const name = kindOf(raw, known) === null ? named : raw;
    yield { name, written, value: equals === undefined ? undefined : value, next: words[at + 1] };
  }
}

function kindOf(name: string, known: KnownOptions): Kind {
  if (known.boolean.includes(name)) return 'switch';
  if (known.array.includes(name)) return 'list';
  return known.string.includes(name) || known.number.includes(name) ? 'value' : null;
}

function hasValue({ value, next }: Given): boolean {
  if (value !== undefined) return value !== '';
  return next !== undefined && next !== '' && (!next.startsWith('-') || NUMBER.test(next));
}
