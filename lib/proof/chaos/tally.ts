/** What was done to a round, by name. */
export type Tally = {
  /** Processes that got SIGKILL from the round, by what they were. */
  kills: Record<string, number>;
  /** Everything else that was done, by the name of the action. */
  deeds: Record<string, number>;
};

export function newTally(): Tally {
  return { kills: {}, deeds: {} };
}

export function count(counts: Record<string, number>, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

/** Adds the second to the first. */
export function addTally(all: Tally, one: Tally): void {
  for (const key of ['kills', 'deeds'] as const) {
    for (const [name, by] of Object.entries(one[key])) count(all[key], name, by);
  }
}
