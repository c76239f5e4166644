import type { Kin } from '../process/kin.ts';
import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import type { Reason, StatusRecord } from '../protocol/status.ts';
import type { ForeignEnd } from '../store/foreign.ts';
import type { RecordRead } from '../store/records.ts';

/** What one look at the files and the process table shows. Plain data: `decide` needs nothing else. */

export type Liveness = 'alive' | 'dead' | 'unknown';

export type View = {
  id: string;
  read: RecordRead;
  planned: PlannedWorkstream | null;
  /** Of the worker that the record names; null where it names none. */
  liveness: Liveness | null;
  /** The record's worker was of an earlier boot of this machine. */
  rebooted: boolean;
  /** Of a `starting` record: who started its worker is proved dead. */
  launcherGone: boolean;
  /** A worker of this id that the process table shows, whatever the record says. */
  liveWorker: Pick<Kin, 'pid' | 'token'> | null;
  /** Live processes of workers of this id that are gone. */
  leftovers: Kin[];
  /** A person asked this attempt to stop, this long ago as far as this process knows. */
  stopAskedMs: number | null;
  heartbeatAgeSeconds: number | null;
  /** How long the attempt has been awake: by its heartbeat, plus how long that has not moved while we watched. */
  awakeMs: number;
  /** How long this process has seen the record in this state. */
  sinceMs: number;
  /** Of a foreign worker that is proved dead and had no last word: the one that it gets. */
  foreignEnd: ForeignEnd | null;
  /** Files beside the record that nobody needs any more. */
  stale: StaleFile[];
};

export type StaleFile = { path: string; why: string };

export type World = {
  root: string;
  plan: FrozenPlan | null;
  /** `stop --all` forbids launches. */
  held: boolean;
  /** In plan order, then those of earlier plans by id. */
  views: View[];
  byId: ReadonlyMap<string, View>;
  /** Why the environment of this process lets a planned workstream not begin, by id; absent: it does. */
  lacking: ReadonlyMap<string, Reason>;
  /** Marked processes of this root whose workstream has neither record nor plan. */
  strays: Kin[];
};

/** What a caller of the loop may do. One table: see `permissions.ts`. */
export type Permissions = {
  /** New work. */
  launch: boolean;
  /** Automatic restarts after a crash. */
  restart: boolean;
};

/** The record of a view, or null where none of ours can be read. */
export function recordOf(view: View): StatusRecord | null {
  return view.read.kind === 'record' ? view.read.record : null;
}
