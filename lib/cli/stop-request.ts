import type { Actor } from '../store/events.ts';

/** What became of one workstream that a person wanted stopped. */
export type Stopped = { workstream: string; ok: boolean; status: string; note: string };

/** How a person wants them stopped. */
export type StopRequest = {
  graceMs: number;
  presumeDead: boolean;
  /** A person named foreign workers, and wants them ended. */
  foreign?: boolean;
  actor: Actor;
};
