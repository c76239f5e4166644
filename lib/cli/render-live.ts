import { pollStatus, type StatusList } from '../orchestrate/poll.ts';
import { jsonLine } from '../protocol/text.ts';
import { watchStatus } from '../store/watch.ts';
import { changeKey, lookUntil } from './follow.ts';
import { interruptSignal } from './interrupt.ts';
import { requireShown } from './known.ts';
import type { GlobalOptions } from './options.ts';
import { renderStatus, screenOf } from './render.ts';
import { findState } from './root.ts';
import { isViewWanted } from './view/wanted.ts';

/**
 * `orch status --watch`: the live view on a terminal; elsewhere a block (with --json a line) for each change. Leaving
 * is the only way out and thus no fault: 0.
 */
export async function watchScreen(ids: readonly string[], options: GlobalOptions): Promise<number> {
  const root = await findState(options.root);
  const signal = interruptSignal();
  // What --quiet keeps back is progress, and here progress is what was asked for.
  if (isViewWanted({ json: options.json, quiet: false })) await watchInView(root, ids, options, signal);
  else await watchChanges(root, ids, options, signal);
  return 0;
}

async function watchInView(
  root: string,
  ids: readonly string[],
  options: GlobalOptions,
  signal: AbortSignal,
): Promise<void> {
  const { color } = options;
  const { openView } = await import('./view/view.ts');
  const view = openView(root, { attached: false, color });
  let list: StatusList;
  try {
    const left = AbortSignal.any([signal, view.left]);
    list = await watch(root, ids, true, view.show, left);
  } finally {
    view.close();
  }
  const { summaryText } = await import('./view/summary.ts');
  process.stdout.write(summaryText(list, 'left', color));
}

async function watchChanges(
  root: string,
  ids: readonly string[],
  options: GlobalOptions,
  signal: AbortSignal,
): Promise<void> {
  let before = '';
  const show = (list: StatusList): void => {
    const { pid, alive } = list.orchestrator ?? { pid: null, alive: null };
    const now = JSON.stringify([pid, alive, list.workstreams.map((one) => [one.workstream, changeKey(one)])]);
    if (now === before || signal.aborted) return;
    const text = options.json ? jsonLine(list) : renderStatus(list, screenOf(options.color));
    process.stdout.write(before === '' || options.json ? text : `\n${text}`);
    before = now;
  };
  await watch(root, ids, options.json, show, signal);
}

/** Looks until `signal`; returns the last look. */
function watch(
  root: string,
  ids: readonly string[],
  usage: boolean,
  show: (list: StatusList) => void | Promise<void>,
  signal: AbortSignal,
): Promise<StatusList> {
  const look = async (): Promise<{ seen: StatusList; last: boolean }> => {
    const list = await pollStatus(root, { ids, usage });
    requireShown(list, ids);
    await show(list);
    return { seen: list, last: false };
  };
  return lookUntil((onHint) => watchStatus(root, onHint), look, signal);
}
