import type { ParsedRecord } from '../protocol/parse.ts';
import type { LedgerEntry } from './ledger.ts';

/**
 * All that is known of a repository after a run: plain data, so that a history can be written by hand as well as
 * gathered. What could not be looked at is said to be unknown, never left out.
 */
export type Evidence = {
  root: string;
  /** What was asked for, from the material; not from the frozen plan, which orch itself wrote. */
  workstreams: AskedWorkstream[];
  /** `--restart` of the run: a `crashed` record is final once it has used them up. */
  restartLimit: number;
  /** A recovery (`orch reattach`, or nothing had died) came to its end before this was gathered. */
  recovered: boolean;
  /** `orch reap` ran after that, and nobody has worked since. */
  reaped: boolean;
  records: RecordFact[];
  events: EventFact[];
  /** Lines of the audit trail that are no JSON object; a full disk or a power cut leaves such. */
  tornEvents: string[];
  history: HistoryFact[];
  git: GitFacts;
  before: Checkout;
  after: Checkout;
  ledger: LedgerEntry[];
  /** Hooks of the user that ran. The material's own git commands run none, so these are orch's. */
  hooksRun: string[];
  bystanders: Bystander[];
  /** Processes that carry this repository's marks, sit in its worktrees, or were forked by a task, and live. */
  remaining: RemainingProcess[];
  /** All that is in `.status` and `.pids`, relative to the root; of folders also what is in them. */
  stateFiles: string[];
  /** Locks among them whose holder lives, or cannot be judged. */
  heldLocks: string[];
  /** What a reader that read all the time saw of a record and could not parse. */
  tornReads: TornRead[];
  /** Workers of one workstream that were seen alive at one moment. */
  together: Together[];
};

export type AskedWorkstream = {
  id: string;
  dependsOn: string[];
  /** In order. `nonceFile`: the path that the task writes last, with its nonce in it. */
  tasks: { digest: string; nonceFile: string }[];
  /** How many acceptance tests note themselves in the ledger; 0: `completed` needs the reason `unverified`. */
  checks: number;
};

export type RecordFact = {
  workstream: string;
  /** Null: there is no such file, or it could not be read (`fault`). */
  text: string | null;
  fault: string | null;
  bytes: number;
  parsed: ParsedRecord | null;
  /** Whether the commit that `head` names is there; null where it names none. */
  headExists: boolean | null;
};

/** One line of `.logs/_events.ndjson`. */
export type EventFact = {
  at: number;
  /** `role:pid` */
  actor: string;
  event: string;
  workstream: string | null;
  why: string;
  [detail: string]: unknown;
};

export type HistoryFact = { workstream: string; entry: string; [detail: string]: unknown };

export type CheckpointFact = {
  commit: string;
  workstream: string;
  run: string;
  attempt: number;
  /** The digest in `Orch-Task`. */
  task: string;
  /** `Orch-Repair`, where it mends the work of a task that has a checkpoint. */
  repair?: number;
  /** Unix seconds. */
  committedAt: number;
  /** All nonces in the files of its tree. */
  nonces: string[];
};

export type Chain = {
  workstream: string;
  /** The ref; null where there is none. */
  tip: string | null;
  /** Why the chain cannot be followed, where it cannot. */
  fault: string | null;
  /** The oldest first; only what `Orch-Previous` leads to. */
  checkpoints: CheckpointFact[];
  /** Whether `orch/<id>` reaches the tip; null where one of them is absent. */
  onBranch: boolean | null;
};

export type GitFacts = {
  chains: Chain[];
  /** Every ref and its commit. */
  refs: Record<string, string>;
  /** Commits that a branch, a salvage ref or a checkpoint ref reaches. */
  reachable: ReadonlySet<string>;
  /** Nonces in files that those refs reach. */
  keptNonces: ReadonlySet<string>;
  /** Nonces in files of worktrees and of what was moved aside: not cleaned, so not destroyed. */
  worktreeNonces: ReadonlySet<string>;
  /** What `git fsck --connectivity-only` says of broken or missing objects. */
  faults: string[];
};

/** The user's side of the repository. Each part is compared as it is. */
export type Checkout = {
  head: string;
  /** Branches outside `orch/` and tags. */
  refs: Record<string, string>;
  stashes: string[];
  /** `git ls-files --stage`. */
  index: string;
  /** `git status --porcelain`, state folders left out. */
  status: string;
  /** Tracked and untracked files and a hash of their content. */
  files: Record<string, string>;
  hooks: Record<string, string>;
  config: string;
};

/** A process that is nobody's of orch. `since`: Unix seconds. `alive` null: it could not be looked at. */
export type Bystander = {
  pid: number;
  startTime: number;
  since: number;
  what: string;
  alive: boolean | null;
};

export type RemainingProcess = {
  pid: number;
  command: string;
  kind: 'worker' | 'tool' | 'orchestrator';
  workstream: string | null;
  /** Null where the process does not show one. */
  token: string | null;
};

export type TornRead = { workstream: string; text: string; why: string };

export type Together = { workstream: string; pids: number[]; tokens: string[] };

/** The guarantees of docs/protocol.md, by number. */
export type Guarantee = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export type Violation = { guarantee: Guarantee; workstream: string | null; what: string };
