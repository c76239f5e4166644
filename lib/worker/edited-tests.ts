import { type AgentEdit, agentEdits, blobText } from '../git/agent-edits.ts';
import { readable } from '../git/changes.ts';
import { type PutBack, putBackFiles } from '../git/put-back.ts';
import type { GateKind } from '../plan/gate-files.ts';
import { configuresGate, judgedText } from '../plan/gate-parts.ts';
import { protectedBy } from '../plan/protected.ts';
import { branchOf } from '../protocol/layout.ts';
import { scopeMatcher } from '../protocol/scope.ts';
import type { Reason } from '../protocol/status.ts';
import { cutText, escapeControls } from '../protocol/text.ts';
import { audit, recordHistory } from '../store/events.ts';
import type { Attempt } from './attempt.ts';

/**
 * Acceptance tests and their configuration that an agent edited outside of what the plan put in scope. They are told
 * of, and do not decide: while the acceptance tests run, the versions from before stand in their place. The edits
 * themselves stay on the branch, for a person to judge.
 */

export type EditedTest = {
  path: string;
  /** `added` is told only: new tests are the work, and what a new configuration does to others cannot be seen. */
  change: 'modified' | 'deleted' | 'added';
  putBack: PutBack | null;
};

const IN_EVENT = 100;
const LINK = '160000';
const SYMLINK = '120000';
/** A manifest larger than this is not read. */
const PART_MAX_BYTES = 4 * 1024 * 1024;

const known = new WeakMap<Attempt, { head: string; edited: EditedTest[] }>();
const told = new WeakMap<Attempt, string>();

/** Those that differ now from what they were before the first edit by an agent, sorted by path. */
async function editedTests(attempt: Attempt): Promise<EditedTest[]> {
  const { head } = attempt.reporter.record();
  if (head === null) return [];
  const before = known.get(attempt);
  if (before?.head === head) return before.edited;
  const { root, workstream, excluded } = attempt;
  const kindOf = protectedBy(workstream);
  const isExcluded = excluded.length === 0 ? () => false : scopeMatcher(excluded);
  const edited: EditedTest[] = [];
  for (const edit of await agentEdits(root, workstream.id)) {
    const path = readable(edit.path);
    const kind = path.includes('\uFFFD') || isExcluded(path) ? null : kindOf(path);
    const one = kind === null ? null : await editOf(root, path, kind, edit);
    if (one !== null) edited.push(one);
  }
  edited.sort((a, b) => (a.path < b.path ? -1 : 1));
  known.set(attempt, { head, edited });
  return edited;
}

async function editOf(
  root: string,
  path: string,
  kind: GateKind,
  { source, before, now }: AgentEdit,
): Promise<EditedTest | null> {
  if (before === null) {
    return (await isNewConfig(root, kind, now)) ? { path, change: 'added', putBack: null } : null;
  }
  if (before.mode === LINK) return null;
  if (now === null) return { path, change: 'deleted', putBack: { path, source } };
  const isText = now.mode.startsWith('100') && before.mode !== SYMLINK;
  if ((kind === 'package_json' || kind === 'sections') && isText) {
    const [decides, edited] = [
      await blobText(root, before.id, PART_MAX_BYTES),
      await blobText(root, now.id, PART_MAX_BYTES),
    ];
    if (decides !== null && edited !== null) {
      const text = judgedText(kind, decides, edited);
      return text === null ? null : { path, change: 'modified', putBack: { path, source, text } };
    }
  }
  return { path, change: 'modified', putBack: { path, source } };
}

async function isNewConfig(root: string, kind: GateKind, now: AgentEdit['now']): Promise<boolean> {
  if (kind !== 'package_json' && kind !== 'sections') return kind === 'config';
  if (now === null || !now.mode.startsWith('100')) return false;
  const text = await blobText(root, now.id, PART_MAX_BYTES);
  return text !== null && configuresGate(kind, text);
}

/**
 * Puts the versions that decide into the worktree, which stands at its last commit, and tells of the edits once.
 * Whoever calls takes them back by `takeBackFiles` when the tests are over. Returns what was edited.
 */
export async function putBackTests(attempt: Attempt): Promise<EditedTest[]> {
  const edited = await editedTests(attempt);
  if (edited.length === 0) return edited;
  tell(attempt, edited);
  const files = edited.flatMap(({ putBack }) => (putBack === null ? [] : [putBack]));
  if (files.length > 0) await putBackFiles(attempt.root, attempt.workstream.id, files);
  return edited;
}

function tell(attempt: Attempt, edited: readonly EditedTest[]): void {
  const { root, number, workstream, actor } = attempt;
  const paths = edited.map(({ path, change }) => ({ path: cutText(path, 1_024), change }));
  const key = JSON.stringify(paths);
  if (told.get(attempt) === key) return;
  told.set(attempt, key);
  const why = textOf(edited);
  process.stderr.write(`orch: ${why}\n`);
  const found = { paths: paths.slice(0, IN_EVENT), paths_total: paths.length };
  recordHistory(root, workstream.id, { entry: 'tests_edited', attempt: number, ...found });
  audit(root, actor, { event: 'tests_edited', workstream: workstream.id, why, ...found });
}

/** For a failed test: by what it was judged. Empty where nothing was put back. */
export function judgedBy(edited: readonly EditedTest[]): string {
  const put = edited.filter(({ putBack }) => putBack !== null);
  return put.length === 0 ? '' : `judged by ${namesOf(put)} from before an agent edited it`;
}

/** The reason of a workstream that is done all the same, or null where no test was edited. */
export async function testsReason(attempt: Attempt): Promise<Reason | null> {
  const edited = await editedTests(attempt);
  const [first] = edited;
  if (first === undefined) return null;
  const { id } = attempt.workstream;
  const from = attempt.reporter.record().base?.slice(0, 12) ?? 'HEAD';
  const see = `git diff ${from}..${branchOf(id)} -- ${shellWord(first.path)}`;
  const hint = `See \`${see}\`; name in "files_scope" what an agent may change.`;
  return { code: 'tests_edited', message: textOf(edited), hint };
}

function textOf(edited: readonly EditedTest[]): string {
  const added = edited.filter(({ putBack }) => putBack === null);
  const put = edited.filter(({ putBack }) => putBack !== null);
  const parts = [
    ...(put.length === 0 ? [] : [`edited ${namesOf(put)}, which did not decide`]),
    ...(added.length === 0 ? [] : [`added ${namesOf(added)}`]),
  ];
  return `an agent ${parts.join(', and ')}`;
}

function namesOf(edited: readonly EditedTest[]): string {
  const names = edited.slice(0, 3).map(({ path }) => escapeControls(cutText(path, 100)));
  return edited.length > names.length
    ? `${names.join(', ')} and ${edited.length - names.length} more`
    : names.join(', ');
}

const shellWord = (path: string): string =>
  /^[\w./@%+,:-]+$/.test(path) ? path : `'${escapeControls(path).replaceAll("'", `'\\''`)}'`;
