/** How the commands of a worker are kept together, and what they may use and see. Pure: names and numbers. */

const TIERS = ['scope', 'pid_namespace', 'sweep'] as const;
export type Tier = (typeof TIERS)[number];

/** What a person may ask for: `auto` leaves the choice to orch. */
export const WISHES = ['auto', ...TIERS] as const;
export type ContainmentWish = (typeof WISHES)[number];

/** Bounds on one command and all that it starts. Null: none. */
export type Limits = {
  memoryBytes: number | null;
  /** 100 is one core. */
  cpuPercent: number | null;
  /** Where they cannot be enforced, a warning will do. */
  bestEffort: boolean;
};

/** What the commands of a workstream may see and change; relative paths count from the worktree. */
export type Sandbox =
  | { kind: 'bwrap'; network: boolean; hide: string[]; writable: string[] }
  | { kind: 'none' };

/** The text of a record's `containment`: the tier, then the proofs by which what is left is found. */
export function containmentText(tier: Tier, proofs: readonly string[]): string {
  return [...(tier === 'sweep' ? [] : [tier]), ...proofs].join('+');
}

/** What `containmentText` said. */
export function readContainment(text: string): { tier: Tier; proofs: string[] } {
  const [first = '', ...rest] = text.split('+');
  const tier = TIERS.find((one) => one === first);
  return tier === undefined ? { tier: 'sweep', proofs: [first, ...rest] } : { tier, proofs: rest };
}
