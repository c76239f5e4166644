import type { Checkout, Evidence, Violation } from '../evidence.ts';
import type { LedgerEntry } from '../ledger.ts';

/**
 * Guarantee 7: the user's checkout, branches, stashes, index and hooks are as before; every commit of a tool stays
 * reachable, and nothing that a tool wrote is destroyed.
 */
export function judgeCheckout(evidence: Evidence): Violation[] {
  const { before, after, hooksRun, git, ledger } = evidence;
  const changed = PARTS.flatMap((part) => changesOf(part, before[part], after[part]));
  const hooks = hooksRun.map((hook) => `a hook of the user ran: ${hook}`);
  return [
    ...[...changed, ...hooks, ...git.faults.map((fault) => `git: ${fault}`)].map((what) =>
      broken(null, what),
    ),
    ...lostCommits(ledger, git.reachable),
    ...lostFiles(evidence),
  ];
}

const broken = (workstream: string | null, what: string): Violation => ({ guarantee: 7, workstream, what });

const PARTS = ['head', 'refs', 'stashes', 'index', 'status', 'files', 'hooks', 'config'] as const;

function changesOf<P extends keyof Checkout>(part: P, before: Checkout[P], after: Checkout[P]): string[] {
  if (
    typeof before === 'string' ||
    Array.isArray(before) ||
    typeof after === 'string' ||
    Array.isArray(after)
  ) {
    const isSame = JSON.stringify(before) === JSON.stringify(after);
    return isSame ? [] : [`the user's ${part} changed: ${cut(before)} → ${cut(after)}`];
  }
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => before[name] !== after[name])
    .map(
      (name) =>
        `the user's ${part} changed: ${name}: ${before[name] ?? 'absent'} → ${after[name] ?? 'absent'}`,
    );
}

const cut = (value: unknown): string => JSON.stringify(value).slice(0, 200);

function lostCommits(ledger: readonly LedgerEntry[], reachable: ReadonlySet<string>): Violation[] {
  return ledger.flatMap(({ what, workstream, attempt, detail: [commit = ''] }) => {
    if (what !== 'committed' || reachable.has(commit)) return [];
    return [
      broken(workstream, `the commit ${commit.slice(0, 12)} that a tool made in attempt ${attempt} is lost`),
    ];
  });
}

/** What the same run wrote over is its own loss. */
function lostFiles({ ledger, git }: Evidence): Violation[] {
  const last = new Map<string, LedgerEntry>();
  for (const entry of ledger) {
    if (entry.what === 'wrote')
      last.set(`${entry.token} ${entry.task} ${entry.pid} ${entry.detail[0]}`, entry);
  }
  return [...last.values()].flatMap(({ workstream, attempt, detail: [path = '', nonce = ''] }) => {
    const isKept = git.keptNonces.has(nonce) || git.worktreeNonces.has(nonce);
    return isKept
      ? []
      : [broken(workstream, `what attempt ${attempt} wrote into ${path} is lost (${nonce})`)];
  });
}
