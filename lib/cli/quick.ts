import { parseArgs } from 'node:util';
import { errnoOf } from '../errors.ts';
import { showStatus } from './commands/status.ts';

const OPTIONS = {
  root: { type: 'string' },
  json: { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  format: { type: 'string' },
  columns: { type: 'string' },
  'no-color': { type: 'boolean', default: false },
} as const;

/**
 * `orch status` without yargs, whose import takes longer than the look itself; null where the arguments need yargs.
 * @throws OrchError as `showStatus`.
 */
export async function quickStatus(args: string[]): Promise<number | null> {
  const parsed = parse(args);
  if (parsed === null) return null;
  const { values, positionals } = parsed;
  const { root, json, quiet, format, columns } = values;
  return showStatus(positionals, { root, json, quiet, format, columns, color: !values['no-color'] });
}

function parse(args: string[]) {
  try {
    const parsed = parseArgs({ args, options: OPTIONS, allowPositionals: true, strict: true, tokens: true });
    return isRefused(parsed.tokens) ? null : parsed;
  } catch (error) {
    if (errnoOf(error)?.startsWith('ERR_PARSE_ARGS_') === true) return null;
    throw error;
  }
}

/** What yargs is asked to refuse: an option with an empty value, or with two. */
function isRefused(tokens: readonly { kind: string; name?: string; value?: string | undefined }[]): boolean {
  const options = tokens.filter(({ kind, value }) => kind === 'option' && value !== undefined);
  return (
    options.some(({ value }) => value === '') ||
    new Set(options.map(({ name }) => name)).size < options.length
  );
}
