import { join } from 'node:path';

/** The only place that spells where things are. `root` is the top of the main worktree. */

export const STATE_FOLDERS = ['.status', '.pids', '.logs', '.worktrees'] as const;

export const statusDir = (root: string): string => join(root, '.status');
export const pidsDir = (root: string): string => join(root, '.pids');
export const logsDir = (root: string): string => join(root, '.logs');
export const worktreesDir = (root: string): string => join(root, '.worktrees');

export const recordPath = (root: string, id: string): string => join(statusDir(root), `${id}.json`);
export const heartbeatPath = (root: string, id: string): string => join(statusDir(root), `${id}.heartbeat`);
export const stopPath = (root: string, id: string): string => join(statusDir(root), `${id}.stop`);
export const historyPath = (root: string, id: string): string =>
  join(statusDir(root), `${id}.history.ndjson`);
/** A folder: see `store/lock.ts`. An id cannot end in `.lock`, so no other file has this name. */
export const recordLockPath = (root: string, id: string): string => join(statusDir(root), `${id}.lock`);

export const planPath = (root: string): string => join(statusDir(root), '_plan.json');
export const orchestratorPath = (root: string): string => join(statusDir(root), '_orchestrator.json');
export const orchestratorLockPath = (root: string): string => join(statusDir(root), '_orchestrator.lock');
export const gitLockPath = (root: string): string => join(statusDir(root), '_git.lock');
/** Empty: a sandbox lays it over files that its commands may not see. */
export const blankPath = (root: string): string => join(statusDir(root), '_blank');
/** Present after `stop --all`: nothing is launched until the next launch or retry. */
export const holdPath = (root: string): string => join(statusDir(root), '_hold.json');

/** What notifiers were told. */
export const notifiedPath = (root: string): string => join(statusDir(root), '_notified.json');

export const pidPath = (root: string, id: string): string => join(pidsDir(root), `${id}.pid`);
export const orchestratorPidPath = (root: string): string => join(pidsDir(root), '_orchestrator.pid');

export const outPath = (root: string, id: string): string => join(logsDir(root), `${id}.log`);
export const errPath = (root: string, id: string): string => join(logsDir(root), `${id}.err`);
export const orchestratorLogPath = (root: string): string => join(logsDir(root), '_orchestrator.log');
export const eventsPath = (root: string): string => join(logsDir(root), '_events.ndjson');
/** Held while the logs of one workstream are rotated or removed. */
export const logLockPath = (root: string, id: string): string => join(logsDir(root), `${id}.logs.lock`);
/** Held while what belongs to no workstream is rotated, and while the whole of the folder is bounded. */
export const logsLockPath = (root: string): string => join(logsDir(root), '_logs.lock');

export const worktreePath = (root: string, id: string): string => join(worktreesDir(root), id);

export const BRANCH_PREFIX = 'orch/';
export const branchOf = (id: string): string => `${BRANCH_PREFIX}${id}`;
export const branchRef = (id: string): string => `refs/heads/${branchOf(id)}`;
export const checkpointRef = (id: string): string => `refs/orch/checkpoint/${id}`;
export const salvageRef = (id: string, attempt: number): string => `refs/orch/salvage/${id}/${attempt}`;
export const salvageRefPrefix = (id: string): string => `refs/orch/salvage/${id}/`;

/** The variables that mark every process of a worker; see `process/kin.ts`. */
export const ENV = {
  root: 'ORCH_ROOT',
  workstream: 'ORCH_WORKSTREAM',
  run: 'ORCH_RUN',
  attempt: 'ORCH_ATTEMPT',
  token: 'ORCH_TOKEN',
} as const;

/** What is known of accounts, for all repositories of a user on this machine; `stateHome` as XDG has it. */
export const limitsPath = (stateHome: string): string => join(stateHome, 'orch', 'limits.json');
export const limitsLockPath = (stateHome: string): string => join(stateHome, 'orch', 'limits.lock');
