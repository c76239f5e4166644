import type { Outside } from '../git/border.ts';
import type { Scope } from '../git/gather.ts';
import { salvageRefPrefix } from '../protocol/layout.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import { scopeMatcher } from '../protocol/scope.ts';
import type { Reason, StatusRecord } from '../protocol/status.ts';
import { cutText, escapeControls } from '../protocol/text.ts';
import type { Progress } from '../protocol/transitions.ts';
import { audit, recordHistory } from '../store/events.ts';
import type { Attempt } from './attempt.ts';

/**
 * What follows from a change outside the scope. It is told in the record, the history, the events and the log, and
 * the workstream goes on, even if nothing inside is left: its acceptance tests say whether the work is done.
 */

/** More than this is told in the history only, and in git whole. */
const IN_RECORD = 20;
const IN_HISTORY = 1_000;
const IN_EVENT = 100;

/** What the tasks of a workstream may change, or undefined if that is anything. */
export function scopeOf({ scope, files_scope, files_create }: PlannedWorkstream): Scope | undefined {
  // A plan that was frozen before there was the field has none.
  if (scope !== 'enforce' && scope !== 'warn') return undefined;
  return { isInside: scopeMatcher([...files_scope, ...files_create]), takesOut: scope === 'enforce' };
}

/**
 * Tells of what task `number` changed outside the scope, and returns what the record is to say of it. `isMore`: by a
 * repair, beside what the task itself changed there.
 */
export function tellOutside(
  attempt: Attempt,
  found: { number: number; outside: readonly Outside[]; commit: string | null; isMore: boolean },
): Progress {
  const { number, outside, commit, isMore } = found;
  const { root, workstream, actor } = attempt;
  if (outside.length > 0) {
    const many = outside.length === 1 ? '1 path' : `${outside.length} paths`;
    const what = commit === null ? 'left as it is' : `kept in ${commit.slice(0, 12)}`;
    const why = `task ${number} changed ${many} outside the scope, ${what}: ${namesOf(outside)}`;
    const told = { task: number, commit, paths_total: outside.length };
    const cut = (most: number): Outside[] => outside.slice(0, most).map(shorten);
    process.stderr.write(`orch: ${why}\n`);
    recordHistory(root, workstream.id, {
      entry: 'scope_violation',
      attempt: attempt.number,
      ...told,
      paths: cut(IN_HISTORY),
    });
    const event = { event: 'scope_violation', workstream: workstream.id, why } as const;
    audit(root, actor, { ...event, ...told, paths: cut(IN_EVENT) });
  }
  return violationsAfter(attempt.reporter.record(), number, outside, isMore);
}

/** A task that was cut off and ran again is told of once: what is true of its last run. */
function violationsAfter(
  record: StatusRecord,
  task: number,
  outside: readonly Outside[],
  isMore: boolean,
): Progress {
  const isAgain = ({ path }: Outside): boolean => !isMore || outside.some((one) => one.path === path);
  const others = record.violations.filter((one) => one.task !== task || !isAgain(one));
  const before = totalOf(record) - (record.violations.length - others.length);
  const all = [...others, ...outside.map((one) => ({ task, ...shorten(one) }))];
  return { violations: all.slice(0, IN_RECORD), violations_total: before + outside.length };
}

/** All violations of the workstream, those that the record has no room for included. */
function totalOf(record: StatusRecord): number {
  const total = record['violations_total'];
  return typeof total === 'number' ? Math.max(total, record.violations.length) : record.violations.length;
}

/** The reason of a workstream that is done all the same, or null where nothing was outside. */
export function scopeReason({ workstream, reporter }: Attempt): Reason | null {
  const record = reporter.record();
  const total = totalOf(record);
  if (total === 0) return null;
  const many = total === 1 ? '1 change' : `${total} changes`;
  const names = namesOf(record.violations);
  const { id, scope } = workstream;
  if (scope === 'warn') {
    const hint = 'They are on the branch. Add the paths to "files_scope" if that is as it should be.';
    return { code: 'scope_violation', message: `${many} outside the scope: ${names}`, hint };
  }
  const see = `git log -p --glob='${salvageRefPrefix(id)}*'`;
  const hint = `See \`${see}\`; add the paths to "files_scope", or set \`scope: warn\`.`;
  return { code: 'scope_violation', message: `${many} outside the scope taken out: ${names}`, hint };
}

function namesOf(outside: readonly Outside[]): string {
  const names = outside.slice(0, 5).map(({ path }) => escapeControls(cutText(path, 100)));
  return outside.length > names.length ? `${names.join(', ')}, …` : names.join(', ');
}

function shorten({ path, from, change }: Outside): Outside {
  const source = from === undefined ? {} : { from: cutText(from, 1_024) };
  return { path: cutText(path, 1_024), ...source, change };
}
