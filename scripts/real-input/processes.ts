import { readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../../lib/errors.ts';

/** Processes as `/proc` shows them (Linux only); orch's own probes are what is being tested. */

export type Process = { pid: number; command: string; environment: string[] };

/** The process, or null if it is gone, a zombie, or another user's. */
export function look(pid: number): Process | null {
  const command = read(`/proc/${pid}/cmdline`);
  const environment = read(`/proc/${pid}/environ`);
  if (command === null || environment === null || command === '') return null;
  return { pid, command: command.replaceAll('\0', ' ').trim(), environment: environment.split('\0') };
}

/** True if the process belongs to orch in this repository: its marker in the environment, or the path in its command. */
export function belongsTo(process: Process, root: string): boolean {
  return process.environment.includes(`ORCH_ROOT=${root}`) || process.command.includes(root);
}

/** All living processes that belong to orch in this repository, but for this one. */
export function findAll(root: string): Process[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids
    .map((pid) => look(Number(pid)))
    .filter((found): found is Process => found !== null && belongsTo(found, root));
}

/** Ends all of them, again until none is left (at most ten rounds: one may start another in between). */
export function killAll(root: string): void {
  for (let round = 0; round < 10; round += 1) {
    const found = findAll(root);
    if (found.length === 0) return;
    for (const { pid } of found) kill(pid);
  }
}

/** SIGKILL; false if the process was gone already. */
export function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}
