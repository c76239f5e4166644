/** Visits every state that a machine can reach, breadth first: what it finds first is a shortest way there. */

/** One thing that may happen next. A fault (a crash, a power cut) is what recovery does without. */
export type Step<S> = { what: string; isFault: boolean; next: S };

export type Machine<S> = {
  initial: readonly S[];
  steps(state: S): Step<S>[];
  /** Equal for states that nothing can tell apart. */
  key(state: S): string;
  /** The guarantee that is broken in this state, or null. */
  broken(state: S): string | null;
  /** Where every way must be able to end, without another fault. */
  isGoal(state: S): boolean;
};

/** `trace`: what happened, step by step, before `broken`; null where nothing is broken. */
export type Found = { states: number; steps: number; broken: string | null; trace: string[] | null };

const STATES_MAX = 3_000_000;

/**
 * Looks at every state within reach. Ends at the first one that breaks a guarantee, else at the first from which
 * no way without a fault leads to a goal.
 */
export function search<S>(machine: Machine<S>): Found {
  const numbers = new Map<string, number>();
  const states: S[] = [];
  const parents: number[] = [];
  const whats: string[] = [];
  /** Steps without a fault, backwards: pairs of where to and where from. */
  const into: number[] = [];
  const outOf: number[] = [];
  let steps = 0;
  const found = (at: number, broken: string | null): Found => {
    const trace = broken === null ? null : traceTo(at, parents, whats);
    return { states: states.length, steps, broken, trace };
  };
  const visit = (state: S, parent: number, what: string): number => {
    const key = machine.key(state);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const number = states.length;
    if (number >= STATES_MAX) throw new Error(`more than ${STATES_MAX} states`);
    numbers.set(key, number);
    states.push(state);
    parents.push(parent);
    whats.push(what);
    return number;
  };
  for (const state of machine.initial) visit(state, -1, 'begin');
  for (let at = 0; at < states.length; at += 1) {
    const state = states[at] as S;
    const broken = machine.broken(state);
    if (broken !== null) return found(at, broken);
    for (const { what, isFault, next } of machine.steps(state)) {
      steps += 1;
      const number = visit(next, at, what);
      if (isFault) continue;
      into.push(number);
      outOf.push(at);
    }
  }
  const lost = firstLost(states, into, outOf, machine);
  return lost === null ? found(-1, null) : found(lost, 'no way leads from here to an end');
}

function traceTo(at: number, parents: readonly number[], whats: readonly string[]): string[] {
  const trace: string[] = [];
  for (let state = at; state >= 0; state = parents[state] ?? -1) trace.unshift(whats[state] ?? '');
  return trace;
}

/** The first state from which no goal can be reached; null if there is none. */
function firstLost<S>(
  states: readonly S[],
  into: readonly number[],
  outOf: readonly number[],
  machine: Machine<S>,
): number | null {
  // The steps sorted by where they lead, in two arrays: those into state n are at starts[n] … starts[n + 1] - 1.
  const starts = new Int32Array(states.length + 1);
  for (const to of into) starts[to + 1] = (starts[to + 1] ?? 0) + 1;
  for (let n = 0; n < states.length; n += 1) starts[n + 1] = (starts[n + 1] ?? 0) + (starts[n] ?? 0);
  const fill = starts.slice();
  const sources = new Int32Array(into.length);
  into.forEach((to, step) => {
    const place = fill[to] ?? 0;
    sources[place] = outOf[step] ?? 0;
    fill[to] = place + 1;
  });
  const saved = new Uint8Array(states.length);
  const queue: number[] = [];
  states.forEach((state, number) => {
    if (!machine.isGoal(state)) return;
    saved[number] = 1;
    queue.push(number);
  });
  for (let to = queue.pop(); to !== undefined; to = queue.pop()) {
    for (let step = starts[to] ?? 0; step < (starts[to + 1] ?? 0); step += 1) {
      const from = sources[step] ?? 0;
      if (saved[from] === 1) continue;
      saved[from] = 1;
      queue.push(from);
    }
  }
  const lost = saved.indexOf(0);
  return lost === -1 ? null : lost;
}
