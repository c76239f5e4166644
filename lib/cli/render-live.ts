import { pollStatus, type StatusList } from '../orchestrate/poll.ts';
import { jsonLine } from '../protocol/text.ts';
import { watchStatus } from '../store/watch.ts';
import { changeKey, lookUntil } from './follow.ts';
import { interruptSignal } from './interrupt.ts';
import { requireShown } from './known.ts';
import type { GlobalOptions } from './options.ts';
import { renderStatus, screenOf } from './render.ts';
import { findState } from './root.ts';

type Draw = { list: (list: StatusList) => void; end: () => void };

/**
 * `orch status --watch`: redraws on a terminal at each look; elsewhere prints a block (with --json a line) for each
 * change. Ctrl+C is the only way out and thus no fault: 0.
 */
export async function watchScreen(ids: readonly string[], options: GlobalOptions): Promise<number> {
  const root = await findState(options.root);
  const signal = interruptSignal();
  // signal-exit, by which log-update gives the cursor back, ends the process with SIGINT if its listener is the only
  // one left by the time it looks, and a `once` listener has already gone by then.
  process.on('SIGINT', stay);
  const draw = process.stdout.isTTY === true && !options.json ? await onTerminal(options) : onChange(options);
  const look = async (): Promise<{ seen: null; last: boolean }> => {
    const list = await pollStatus(root, { ids, usage: options.json });
    requireShown(list, ids);
    if (!signal.aborted) draw.list(list);
    return { seen: null, last: false };
  };
  try {
    await lookUntil((onHint) => watchStatus(root, onHint), look, signal);
  } finally {
    draw.end();
    process.off('SIGINT', stay);
  }
  return 0;
}

const stay = (): void => undefined;

/** log-update hides the cursor while it draws; `done` and its own exit hook bring it back. */
async function onTerminal(options: GlobalOptions): Promise<Draw> {
  const { default: logUpdate } = await import('log-update');
  return {
    list(list) {
      const screen = screenOf(options.color);
      const lines = renderStatus(list, screen).trimEnd().split('\n');
      // log-update keeps the end of what is too high; the head is worth more.
      const rows = Math.max((process.stdout.rows || 24) - 1, 2);
      const shown =
        lines.length <= rows
          ? lines
          : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`];
      logUpdate(shown.join('\n'));
    },
    end: () => logUpdate.done(),
  };
}

function onChange(options: GlobalOptions): Draw {
  let before = '';
  return {
    list(list) {
      const { pid, alive } = list.orchestrator ?? { pid: null, alive: null };
      const now = JSON.stringify([
        pid,
        alive,
        list.workstreams.map((one) => [one.workstream, changeKey(one)]),
      ]);
      if (now === before) return;
      const text = options.json ? jsonLine(list) : renderStatus(list, screenOf(options.color));
      process.stdout.write(before === '' || options.json ? text : `\n${text}`);
      before = now;
    },
    end: () => undefined,
  };
}
