import type { Page, ViewState, Wish } from './model.ts';

/** What a key does: pure. What must be done outside of the view is returned as an effect. */

/** A key as `node:readline` names it. */
export type Key = { name?: string | undefined; sequence?: string | undefined; ctrl?: boolean | undefined };

export type Effect =
  | { do: 'stop' | 'retry'; id: string }
  | { do: 'leave' | 'interrupt' | 'suspend' | 'repaint' };

/** `page`: lines that a page key moves by. */
export type Situation = { ids: readonly string[]; attached: boolean; page: number };

export type Pressed = { state: ViewState; effect: Effect | null };

const stay = (state: ViewState): Pressed => ({ state, effect: null });

/** One word for each key, whatever the terminal calls it. */
function wordOf({ name, sequence, ctrl }: Key): string {
  if (ctrl === true) return `ctrl-${name ?? ''}`;
  if (sequence === '?' || sequence === 'G') return sequence;
  const known: Record<string, string> = {
    k: 'up',
    j: 'down',
    g: 'home',
    enter: 'return',
    space: 'pagedown',
    left: 'escape',
    backspace: 'escape',
    right: 'return',
  };
  const word = name ?? sequence ?? '';
  return known[word] ?? word;
}

function select(state: ViewState, ids: readonly string[], to: (at: number) => number): ViewState {
  if (ids.length === 0) return state;
  const at = Math.max(ids.indexOf(state.selected ?? ''), 0);
  const next = ids[Math.min(Math.max(to(at), 0), ids.length - 1)] ?? null;
  return { ...state, selected: next, note: null };
}

function turnTo(state: ViewState, page: Page): ViewState {
  return { ...state, page, scroll: 0, note: null };
}

/** A question stands until it is answered; what is no yes is a no. */
function answer(state: ViewState, word: string, wish: Wish, id: string | null): Pressed {
  const asked = { ...state, question: null };
  if (word === 'ctrl-c') return { state: asked, effect: { do: 'interrupt' } };
  if (word !== 'y') return stay({ ...asked, note: null });
  if (wish === 'leave') return { state: asked, effect: { do: 'interrupt' } };
  return id === null ? stay(asked) : { state: asked, effect: { do: wish, id } };
}

function ask(state: ViewState, wish: Wish): Pressed {
  const id = wish === 'leave' ? null : state.selected;
  if (wish !== 'leave' && id === null) return stay(state);
  return stay({ ...state, question: { wish, id } });
}

/** How far a key moves; null for other keys. Infinity: to the end. */
function stepOf(word: string, page: number): number | null {
  switch (word) {
    case 'up':
      return -1;
    case 'down':
      return 1;
    case 'pageup':
      return -page;
    case 'pagedown':
      return page;
    case 'home':
      return Number.NEGATIVE_INFINITY;
    case 'end':
    case 'G':
      return Number.POSITIVE_INFINITY;
    default:
      return null;
  }
}

/** More than any page has, and still a number that can be added to. */
const FAR = 1_000_000;

function move(state: ViewState, step: number, { ids }: Situation): ViewState {
  if (state.page === 'list') return select(state, ids, (at) => at + step);
  // The log is read from its end: up is further back.
  const by = state.page === 'logs' ? -step : step;
  return { ...state, scroll: Math.min(Math.max(state.scroll + by, 0), FAR) };
}

function anywhere(state: ViewState, word: string, situation: Situation): Pressed | null {
  switch (word) {
    case 'ctrl-c':
      return { state, effect: { do: 'interrupt' } };
    case 'ctrl-z':
      return { state, effect: { do: 'suspend' } };
    case 'ctrl-l':
      return { state, effect: { do: 'repaint' } };
    case 'q':
    case 'ctrl-d':
      return situation.attached ? ask(state, 'leave') : { state, effect: { do: 'leave' } };
    case '?':
    case 'h':
      return stay(state.page === 'help' ? turnTo(state, state.before) : help(state));
    case 's':
      return ask(state, 'stop');
    case 'r':
      return ask(state, 'retry');
    default:
      return null;
  }
}

const help = (state: ViewState): ViewState => ({ ...turnTo(state, 'help'), before: state.page });

function onPage(state: ViewState, word: string, { ids }: Situation): ViewState {
  const { page } = state;
  switch (word) {
    case 'return':
      return page === 'list' && state.selected !== null ? turnTo(state, 'details') : state;
    case 'l':
      return page === 'help' || state.selected === null ? state : turnTo(state, 'logs');
    case 'escape':
      return turnTo(state, page === 'help' ? state.before : 'list');
    case 'tab':
      if (page === 'help' || page === 'list') return state;
      return { ...state, stream: state.stream === 'stdout' ? 'stderr' : 'stdout', scroll: 0 };
    case 'n':
    case 'p': {
      if (page === 'help') return state;
      return { ...select(state, ids, (at) => at + (word === 'n' ? 1 : -1)), scroll: 0 };
    }
    default:
      return state;
  }
}

/** What the view is after a key, and what has to be done. */
export function press(state: ViewState, key: Key, situation: Situation): Pressed {
  const word = wordOf(key);
  if (state.question !== null) return answer(state, word, state.question.wish, state.question.id);
  const step = stepOf(word, situation.page);
  if (step !== null) return stay(move(state, step, situation));
  return anywhere(state, word, situation) ?? stay(onPage(state, word, situation));
}

/** The state with a selection that exists: a workstream may have gone since the last look. */
export function withSelection(state: ViewState, ids: readonly string[]): ViewState {
  if (state.selected !== null && ids.includes(state.selected)) return state;
  return { ...state, selected: ids[0] ?? null, page: state.page === 'help' ? 'help' : 'list' };
}
