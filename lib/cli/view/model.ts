import type { StatusList } from '../../orchestrate/poll.ts';
import type { LogStream } from '../../store/log-files.ts';
import type { Outlook } from './outlook.ts';

/** What the view knows and where a person is in it: plain data, from which a frame is made. */

export type Commit = { hash: string; at: number; subject: string };

/** Of one workstream, what its status does not have. Texts are harmless already. */
export type Details = {
  id: string;
  stream: LogStream;
  /** Null: nothing was written, or it cannot be read (`trouble` says why). */
  log: readonly string[] | null;
  commits: readonly Commit[];
  trouble: string | null;
};

export type Glance = {
  list: StatusList;
  /** Unix seconds of a live worker's last output, by id. */
  outputAt: ReadonlyMap<string, number>;
  outlook: Outlook;
  details: Details | null;
};

export type Page = 'list' | 'details' | 'logs' | 'help';

export type Wish = 'stop' | 'retry' | 'leave';

export type ViewState = {
  page: Page;
  /** Where help goes back to. */
  before: Page;
  selected: string | null;
  /** The first row of the list that is shown. */
  top: number;
  /** Lines from the top; on the log's page lines back from the end. */
  scroll: number;
  stream: LogStream;
  question: { wish: Wish; id: string | null } | null;
  /** The last thing that happened, in a line. */
  note: string | null;
  /** Ctrl+C in an attached run, or a signal like it. */
  stopping: boolean;
};

/** What is drawn on. `columns` is one less than the terminal has: a full line would leave the cursor in doubt. */
export type Canvas = { columns: number; rows: number; color: boolean; unicode: boolean; attached: boolean };

/** A frame, and where its scrolling really stands. */
export type Frame = { lines: string[]; top: number; scroll: number };

export const FIRST: ViewState = {
  page: 'list',
  before: 'list',
  selected: null,
  top: 0,
  scroll: 0,
  stream: 'stdout',
  question: null,
  note: null,
  stopping: false,
};
