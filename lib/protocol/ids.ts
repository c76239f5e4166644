/** Names of workstreams, hostile until checked: they become file names, branch names and refs. */

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Null if `id` may name a workstream; else the rule it breaks, as a phrase that follows the id. */
export function idFault(id: string): string | null {
  if (!ID.test(id)) {
    return 'must start with a letter or digit and hold 1 to 100 letters, digits, ".", "_" or "-"';
  }
  if (id.includes('..')) return 'must not contain ".."';
  if (id.endsWith('.')) return 'must not end in "."';
  if (id.toLowerCase().endsWith('.lock')) return 'must not end in ".lock"';
  if (id.toLowerCase() === 'integration') return 'is a name that orch keeps for `orch collect`';
  return null;
}

/** True if `id` may name a workstream. */
export function isId(id: string): boolean {
  return idFault(id) === null;
}
