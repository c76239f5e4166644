import type { Action } from './action.ts';
import { type RoundReport, runRound } from './round.ts';
import { addTally, count, newTally, sum, type Tally } from './tally.ts';

export type ProofOptions = {
  seed: number;
  /** No round begins after it, and the violence of those at work ends; recovery and judgement follow. */
  forMs: number;
  /** Rounds at once. */
  lanes: number;
  orch: string;
  actions: readonly Action[];
  /** Told after each round and each second. */
  onProgress?: (proof: Proof) => void;
  /** Ends everything; rounds at work are not judged. */
  signal: AbortSignal;
};

export type Proof = {
  seed: number;
  seconds: number;
  rounds: number;
  workstreams: number;
  attempts: number;
  tally: Tally;
  /** By guarantee: on how many facts it was decided. */
  facts: Record<string, number>;
  faults: (RoundReport['faults'][number] & { round: number })[];
  /** Repositories and logs of rounds that failed. */
  kept: string[];
};

const PROGRESS_MS = 1_000;

/** Rounds, one after the other in each lane, until the time is over. */
export async function prove(options: ProofOptions): Promise<Proof> {
  const begun = performance.now();
  const over = new AbortController();
  const proof: Proof = { seed: options.seed, seconds: 0, rounds: 0, ...NOTHING() };
  const tell = (): void => {
    proof.seconds = (performance.now() - begun) / 1_000;
    options.onProgress?.(proof);
  };
  const alarm = setTimeout(() => over.abort(), options.forMs);
  const ticker = setInterval(tell, PROGRESS_MS);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (!over.signal.aborted && !options.signal.aborted) {
      const { seed, orch, actions, signal } = options;
      const round = await runRound({ seed, round: next++, orch, actions, over: over.signal, signal });
      if (!options.signal.aborted) add(proof, round);
      tell();
    }
  };
  try {
    await Promise.all(Array.from({ length: options.lanes }, lane));
  } finally {
    clearTimeout(alarm);
    clearInterval(ticker);
  }
  tell();
  return proof;
}

const NOTHING = (): Pick<Proof, 'workstreams' | 'attempts' | 'tally' | 'facts' | 'faults' | 'kept'> => ({
  workstreams: 0,
  attempts: 0,
  tally: newTally(),
  facts: {},
  faults: [],
  kept: [],
});

function add(proof: Proof, { round, workstreams, attempts, tally, checks, faults, kept }: RoundReport): void {
  proof.rounds += 1;
  proof.workstreams += workstreams;
  proof.attempts += attempts;
  addTally(proof.tally, tally);
  for (const [guarantee, facts] of Object.entries(checks)) count(proof.facts, guarantee, facts);
  proof.faults.push(...faults.map((fault) => ({ ...fault, round })));
  if (kept !== null) proof.kept.push(kept);
}

/** How many processes were killed. */
export function killsOf({ tally }: Proof): number {
  return sum(tally.kills);
}
