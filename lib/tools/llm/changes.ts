import { outsideCommits, type View, visibleFiles } from '../../git/visible.ts';
import type { Edit } from './answer.ts';
import { applyEdits, type Change, type EditFault } from './apply.ts';
import type { Desk } from './overlay.ts';

/**
 * The changes that the edits of an answer come to, or why there are none. Nothing is written. A change that no commit
 * would hold is a fault: it would be lost, and what git ignores may be a person's own.
 */
export async function changesFor(
  edits: readonly Edit[],
  view: View,
  rules: Pick<Desk, 'isInside' | 'isSeen'>,
): Promise<Change[] | { faults: EditFault[] }> {
  const needsFolders = edits.some(({ kind }) => kind === 'delete' || kind === 'move');
  const files = needsFolders ? await visibleFiles(view) : [];
  const applied = applyEdits(edits, { worktree: view.path, files, ...rules });
  if (!applied.ok) return applied;
  const paths = applied.changes.map(({ path }) => path);
  const lost = await outsideCommits(view, paths);
  if (lost.length === 0) return applied.changes;
  const what = 'git ignores it, so that no commit would hold the change';
  return { faults: lost.map((path) => ({ path, line: 0, what, miss: null })) };
}
