import { closeSync } from 'node:fs';
import { messageOf } from '../../errors.ts';
import { failpoint } from '../../failpoint.ts';
import { killKin } from '../../process/kill.ts';
import type { Kin } from '../../process/kin.ts';
import { findMarked, type Leader } from '../../process/marked.ts';
import { openLog } from '../../process/open-log.ts';
import { createToken, probe } from '../../process/system.ts';
import { orchestratorLogPath } from '../../protocol/layout.ts';
import type { NotifyMessage } from '../../protocol/notify.ts';
import { type Actor, audit } from '../../store/events.ts';
import { notifierEnvironment } from '../../tools/environment.ts';
import { aborted } from './bound.ts';

/** Of all commands that are told together: what an orchestrator that died left of them is found by it. */
const BATCH_MARK = 'ORCH_NOTIFY_BATCH';
/** Of one command. */
const OWN_MARK = 'ORCH_NOTIFY_MARK';
/** Who tells, for the event log. */
type Sender = { root: string; actor: Actor };

const GRACE_MS = 1_000;
const KILL_BOUND_MS = 3_000;

/**
 * Runs a notifier's command by `sh -c` at the root, the message as JSON on its stdin, its output in the orchestrator's
 * log. Within `signal`; then it and all that it started are ended. Null, or what went wrong.
 */
export async function sendByCommand(
  { root, actor }: Sender,
  command: string,
  message: NotifyMessage,
  batch: string,
  signal: AbortSignal,
): Promise<string | null> {
  const { execa } = await import('execa');
  const log = openLog(orchestratorLogPath(root));
  let leader: Leader | null = null;
  const mark = createToken();
  try {
    failpoint('orchestrate.notify.spawn');
    const child = execa('/bin/sh', ['-c', command], {
      cwd: root,
      env: notifierEnvironment(process.env, { ...toldBy(message), [OWN_MARK]: mark, [BATCH_MARK]: batch }),
      extendEnv: false,
      stdio: ['pipe', log as 3, log as 3],
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
    });
    child.unref();
    const exited = new Promise<'exited'>((resolve) => child.once('exit', () => resolve('exited')));
    // One that does not read it closes the pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${JSON.stringify(message)}\n`);
    if (child.pid === undefined) return `it could not be started: ${messageOf((await child).cause)}`;
    leader = await leaderOf(child.pid);
    const first = await Promise.race([exited, aborted(signal)]);
    failpoint('orchestrate.notify.spawned');
    if (first === 'aborted') return 'it did not end in time';
    const { exitCode, signalCode } = child;
    if (exitCode === 0) return null;
    return signalCode === null ? `exit code ${exitCode}` : `ended by ${signalCode}`;
  } finally {
    closeSync(log);
    await end({ root, actor }, () => findMarked(OWN_MARK, mark, leader));
  }
}

/** Ends the commands of an orchestrator that is gone, and what they started. */
export async function endBatch(sender: Sender, batch: string): Promise<void> {
  await end(sender, () => findMarked(BATCH_MARK, batch, null));
}

async function end({ root, actor }: Sender, select: () => Promise<Kin[]>): Promise<void> {
  const onSignal = ({ pid, proof, command }: Kin, signal: string): void => {
    const why = "it belongs to a notifier's command that is over";
    audit(root, actor, { event: 'signal', workstream: null, why, signal, pid, proof, command });
  };
  await killKin(select, { graceMs: GRACE_MS, boundMs: KILL_BOUND_MS, onSignal });
}

/** Its number is its own as long as it was not waited for, which is not before the next turn of the event loop. */
async function leaderOf(pid: number): Promise<Leader | null> {
  const info = await probe(pid);
  return typeof info === 'string' ? null : { pid, startTime: info.startTime };
}

function toldBy(message: NotifyMessage): Record<string, string> {
  const [first] = message.workstreams;
  return {
    ORCH_NOTIFY_ID: message.id,
    ORCH_NOTIFY_EVENT: message.event,
    ORCH_NOTIFY_TITLE: message.title,
    ORCH_NOTIFY_TEXT: message.text,
    ORCH_NOTIFY_REPOSITORY: message.root,
    ORCH_NOTIFY_WORKSTREAM: message.workstreams_total === 1 ? (first?.workstream ?? '') : '',
  };
}
