import { fstatSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { logLockPath } from '../protocol/layout.ts';
import { type LogLimits, rotatesAt } from '../protocol/log-parts.ts';
import { type Actor, audit } from '../store/events.ts';
import { type LogStream, logPath } from '../store/log-files.ts';
import { emptyIfDeleted, rotateIfDue, settleIfCutOff } from '../store/rotate.ts';

/** A tool that prints 10 MB/s adds 2.5 MB between two looks. */
const LOOK_MS = 250;
/** After a fault, such as a full disk, which is told once. */
const REST_MS = 10_000;

const STREAMS: readonly { stream: LogStream; descriptor: number }[] = [
  { stream: 'stdout', descriptor: 1 },
  { stream: 'stderr', descriptor: 2 },
];

/**
 * Keeps the two logs of this worker, which are its stdout and stderr, within their bounds for as long as it lives.
 * A fault costs the bound, never the work. `end` waits for a rotation that is under way.
 */
export function keepLogsBounded(
  root: string,
  id: string,
  limits: LogLimits,
  actor: Actor,
): { end(): Promise<void> } {
  let restUntil = 0;
  let work: Promise<void> | null = null;
  const rest = (error: unknown): void => {
    restUntil = performance.now() + REST_MS;
    process.stderr.write(`orch: the log could not be rotated: ${messageOf(error)}\n`);
  };
  const begin = (task: () => Promise<void>): void => {
    work = task()
      .catch(rest)
      .finally(() => {
        work = null;
      });
  };
  const rotateAll = async (): Promise<void> => {
    for (const { stream } of STREAMS) {
      const rotated = await rotateIfDue(logPath(root, id, stream), logLockPath(root, id), limits);
      for (const path of rotated?.removed ?? []) {
        audit(root, actor, {
          event: 'remove',
          workstream: id,
          why: 'older than the parts of a log that are kept',
          path,
        });
      }
    }
  };
  const look = (): void => {
    if (work !== null || performance.now() < restUntil) return;
    try {
      for (const { descriptor } of STREAMS) emptyIfDeleted(descriptor, limits);
      if (STREAMS.some(({ descriptor }) => fstatSync(descriptor).size >= rotatesAt(limits))) begin(rotateAll);
    } catch (error) {
      rest(error);
    }
  };
  begin(async () => {
    for (const { stream } of STREAMS) await settleIfCutOff(logPath(root, id, stream), logLockPath(root, id));
  });
  const timer = setInterval(look, LOOK_MS);
  return {
    async end() {
      clearInterval(timer);
      await work;
    },
  };
}
