/** The closed table of error codes and the exit code that each one ends a command with. */
export const EXIT_CODE = {
  /** The work itself failed. */
  WORK_FAILED: 1,
  START_FAILED: 1,
  /** Bad usage, plan, config or repository. */
  USAGE: 2,
  PLAN_INVALID: 2,
  PLAN_NOT_FOUND: 2,
  CONFIG_INVALID: 2,
  NOT_A_REPOSITORY: 2,
  NO_COMMITS: 2,
  GIT_TOO_OLD: 2,
  BAD_REF: 2,
  DIRTY_CHECKOUT: 2,
  UNSAFE_FOLDER: 2,
  BRANCH_TAKEN: 2,
  WORKTREE_TAKEN: 2,
  DEFINITION_CHANGED: 2,
  NO_TOOL: 2,
  NO_CONTAINMENT: 2,
  /** Only its owner may do that to a worker that orch did not start. */
  FOREIGN_WORKER: 2,
  /** Nothing to act on. */
  NO_WORKSTREAM: 3,
  NO_STATE: 3,
  /** Somebody else is at it, or time ran out. */
  BUSY: 4,
  LOCK_HELD: 4,
  WAIT_TIMEOUT: 4,
  NOBODY_ORCHESTRATES: 4,
  /** Cannot go on. */
  GIT_FAILED: 70,
  /** A signal from somebody else ended git. */
  GIT_KILLED: 70,
  WORKTREE_FAILED: 70,
  SALVAGE_FAILED: 70,
  BASE_CONFLICT: 70,
  LEASE_LOST: 70,
  ILLEGAL_TRANSITION: 70,
  RECORD_TOO_LARGE: 70,
  DISK_FULL: 70,
  IO: 70,
  SPAWN_FAILED: 70,
  INTERNAL: 70,
  INTERRUPTED: 130,
} as const;

export type ErrorCode = keyof typeof EXIT_CODE;

/** An error with a code to branch on, a message for people and a hint that says what to do next. */
export class OrchError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OrchError';
    this.code = code;
    this.hint = options.hint ?? null;
  }
}

/** The errno of a system error (`ENOENT`, …), or null where the value is something else. */
export function errnoOf(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return null;
}

const DISK_IS_FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
const REFUSED: ReadonlySet<string> = new Set([
  'EIO',
  'EACCES',
  'EPERM',
  'EROFS',
  'ESTALE',
  'EBUSY',
  'EAGAIN',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
]);

/** What the system refused (a broken disk, no permission, no memory) as a coded error; anything else as it is. */
export function codedFault(error: unknown): unknown {
  const errno = errnoOf(error) ?? '';
  const message = `the system refused: ${messageOf(error)}`;
  if (DISK_IS_FULL.has(errno)) {
    const hint = 'Free some space, then run the same command again.';
    return new OrchError('DISK_FULL', message, { hint, cause: error });
  }
  if (!REFUSED.has(errno)) return error;
  const hint =
    'Look at the disk, its permissions and the limits of this user, then run the same command again.';
  return new OrchError('IO', message, { hint, cause: error });
}

/** Text of anything thrown, for messages that carry a cause. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
