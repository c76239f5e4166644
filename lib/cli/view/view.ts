import type { StatusList } from '../../orchestrate/poll.ts';
import { screenOf } from '../render.ts';
import { carryOut } from './actions.ts';
import { frameOf } from './frame.ts';
import { detailReader, maxParallelOf, outputTimes } from './gather.ts';
import { type Effect, type Key, press, withSelection } from './keys.ts';
import { type Canvas, FIRST, type Glance, type ViewState } from './model.ts';
import { outlookOf } from './outlook.ts';
import { paceOf } from './pace.ts';
import { showsUnicode } from './symbols.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** The live view on a terminal. It holds the last look and no earlier one: it does not grow with time. */
export type View = {
  /** Aborted when the person leaves, or the terminal is gone. */
  left: AbortSignal;
  /** Shows a new look at the world. */
  show(list: StatusList): Promise<void>;
  /** Gives the terminal back, then throws what went wrong at a key. Idempotent. */
  close(): void;
};

type Options = { attached: boolean; color: boolean };

/** Over a slow line, more frames would only queue up. Keys are answered at once. */
const FRAME_MS = 250;

/** How the view is drawn, with the last column left free: a cursor at the edge is in doubt. */
function canvasOf(terminal: Terminal, { attached, color }: Options): Canvas {
  const { columns, rows } = terminal.size();
  const screen = screenOf(color);
  return {
    columns: Math.max(columns - 1, 1),
    rows,
    color: screen.color,
    unicode: showsUnicode(process.env),
    attached,
  };
}

/** Opens the view on the terminal that stdin and stdout are. The caller closes it, whatever happens. */
export function openView(root: string, options: Options): View {
  const left = new AbortController();
  const readDetails = detailReader(root);
  let state: ViewState = FIRST;
  let glance: Glance | null = null;
  let isClosed = false;
  let failure: { error: unknown } | null = null;

  const pace = paceOf(() => {
    if (glance === null) return true;
    const frame = frameOf(glance, state, canvasOf(terminal, options));
    state = { ...state, top: frame.top, scroll: frame.scroll };
    return terminal.draw(frame.lines);
  }, FRAME_MS);
  const idsOf = (): string[] => glance?.list.workstreams.map(({ workstream }) => workstream) ?? [];

  const refreshDetails = async (): Promise<void> => {
    const { selected, page, stream } = state;
    const status = glance?.list.workstreams.find(({ workstream }) => workstream === selected);
    if (glance === null || status === undefined || page === 'list' || page === 'help') return;
    const details = await readDetails(status, stream);
    // A key may have led elsewhere meanwhile.
    if (glance !== null && state.selected === details.id && state.stream === details.stream) {
      glance = { ...glance, details };
    }
  };

  const perform = (effect: Effect): void => {
    switch (effect.do) {
      case 'leave':
        left.abort();
        break;
      case 'interrupt':
        // What Ctrl+C means is the command's to say: it listens to the signal.
        process.kill(process.pid, 'SIGINT');
        break;
      case 'suspend':
        terminal.suspend();
        break;
      case 'repaint':
        terminal.forget();
        break;
      case 'stop':
      case 'retry': {
        const { id } = effect;
        state = { ...state, note: effect.do === 'stop' ? `stopping ${id}…` : `retrying ${id}…` };
        carryOut(root, effect.do, id).then(note, fail);
      }
    }
  };
  const note = (text: string): void => {
    state = { ...state, note: text };
    pace.soon();
  };
  const fail = (error: unknown): void => {
    failure ??= { error };
    left.abort();
  };
  const onKey = (key: Key): void => {
    const page = Math.max(terminal.size().rows - 8, 1);
    const before = state;
    const pressed = press(state, key, { ids: idsOf(), attached: options.attached, page });
    state = pressed.state;
    if (pressed.effect !== null) perform(pressed.effect);
    // The screen is the shell's until this process is continued.
    if (pressed.effect?.do === 'suspend') return;
    pace.now();
    const isElsewhere =
      before.page !== state.page || before.selected !== state.selected || before.stream !== state.stream;
    if (isElsewhere) refreshDetails().then(pace.soon, fail);
  };
  const onStopping = (): void => {
    state = { ...state, stopping: options.attached };
    pace.soon();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const terminal = openTerminal({ onKey, onResize: pace.soon, onGone: () => left.abort(), onNote: note });
  for (const signal of signals) process.on(signal, onStopping);
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    pace.end();
    for (const signal of signals) process.off(signal, onStopping);
    terminal.close();
    if (failure !== null) throw failure.error;
  };
  return {
    left: left.signal,
    async show(list) {
      const outlook = outlookOf(list, maxParallelOf(root));
      glance = { list, outlook, outputAt: outputTimes(list), details: glance?.details ?? null };
      state = withSelection(state, idsOf());
      await refreshDetails();
      pace.soon();
    },
    close,
  };
}
