import { messageOf, OrchError } from '../../errors.ts';

/** `none`: it is not there, and nothing that was looked at needs it. */
export type Level = 'ok' | 'none' | 'warn' | 'fail';

/** One finding: what was looked at, what was found, what to do about it. */
export type Check = { name: string; level: Level; found: string; hint: string | null };

export const ok = (name: string, found: string): Check => ({ name, level: 'ok', found, hint: null });
export const warn = (name: string, found: string, hint: string | null = null): Check => {
  return { name, level: 'warn', found, hint };
};
export const fail = (name: string, found: string, hint: string | null = null): Check => {
  return { name, level: 'fail', found, hint };
};

/** The finding of a look that may fail: a fault with a code is a finding too. */
export async function checked(name: string, look: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    return fail(name, messageOf(error), error.hint);
  }
}

/** The first of a list, and how many more there are. */
export function some(names: readonly string[], most = 5): string {
  return `${names.slice(0, most).join(', ')}${names.length > most ? `, … (${names.length})` : ''}`;
}
