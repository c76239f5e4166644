import { OrchError } from '../../errors.ts';
import { HOLDS, pollStatus, type StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { judge } from '../../process/identity.ts';
import { isIdentity } from '../../protocol/status.ts';
import { jsonLine } from '../../protocol/text.ts';
import { type Followed, followUntilFinal } from '../follow.ts';
import { interruptSignal } from '../interrupt.ts';
import { durationOption } from '../options.ts';
import { renderStatus, screenOf } from '../render.ts';
import { findState } from '../root.ts';
import type { Verb } from '../verb.ts';

type WaitArgs = { id: string[] | undefined; timeout: string | undefined };

/** How long nobody may be there, and in how many looks, before it counts: one may be starting on a busy machine. */
const ALONE_MS = 10_000;
const ALONE_LOOKS = 3;

const isOpen = ({ final, verdict }: WorkstreamStatus): boolean => !final && verdict !== 'unknown';
const isDone = ({ verdict }: WorkstreamStatus): boolean => verdict === 'completed' || verdict === 'merged';

export const verb: Verb<WaitArgs> = {
  command: 'wait [id..]',
  describe: 'Block until workstreams are final: 0 if all completed, else 1',
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', array: true, describe: 'Only these workstreams' })
      .option('timeout', {
        type: 'string',
        requiresArg: true,
        describe: 'Give up after 90s, 30m or 8h (exit code 4)',
      })
      .example('$0 wait && git merge orch/WS-003', 'go on only if everything completed')
      .example('$0 wait WS-001 WS-002 --timeout 8h', 'two of them, until the morning'),
  async handle(args) {
    const timeout = args.timeout === undefined ? {} : { timeoutMs: durationOption('timeout', args.timeout) };
    const root = await findState(args.root);
    const signal = interruptSignal();
    const options = {
      ids: args.id ?? [],
      json: false,
      quiet: true,
      signal,
      tick: refuseAlone(root),
      ...timeout,
    };
    const { end, list } = await followUntilFinal(root, options);
    if (end === 'aborted') return 130;
    if (end === 'timeout') throw timedOut(args.timeout ?? '', list);
    if (args.json) process.stdout.write(jsonLine(list));
    else if (!args.quiet) process.stdout.write(renderStatus(list, screenOf(args.color)));
    return outcome(list);
  },
};

/** Held or unplanned work waits for a person, as does what nobody orchestrates; `unknown` is an end without success. */
function outcome(list: Followed['list']): number {
  const waiting = list.workstreams.find(
    (status) => isOpen(status) && status.reason?.code !== 'dependency_unknown',
  );
  if (waiting === undefined) return list.workstreams.every(isDone) ? 0 : 1;
  const { workstream, reason } = waiting;
  const hint = reason?.hint ?? 'Run `orch reattach`.';
  throw new OrchError(
    'NOBODY_ORCHESTRATES',
    `${workstream} is pending: ${reason?.message ?? 'nobody starts it'}`,
    { hint },
  );
}

function timedOut(timeout: string, list: StatusList): OrchError {
  const open = list.workstreams.filter(isOpen).map(({ workstream, verdict }) => `${workstream} (${verdict})`);
  const message = `after ${timeout} not all are final: ${open.slice(0, 10).join(', ')}${open.length > 10 ? ', …' : ''}`;
  return new OrchError('WAIT_TIMEOUT', message, {
    hint: 'The work goes on. `orch status` shows where it is.',
  });
}

/** A check for each look: @throws OrchError NOBODY_ORCHESTRATES once nobody has been at work for 10 s in a row. */
function refuseAlone(root: string): (list: StatusList) => Promise<void> {
  let since: number | null = null;
  let looks = 0;
  return async (list) => {
    const open = list.workstreams.filter(isOpen);
    if (open.length === 0 || !(await isAlone(list)) || !(await isAlone(await pollStatus(root)))) {
      since = null;
      looks = 0;
      return;
    }
    since ??= performance.now();
    looks += 1;
    if (looks < ALONE_LOOKS || performance.now() - since < ALONE_MS) return;
    // What is held or waits for the unknown has a better hint; `outcome` gives it.
    if (open.every(({ reason }) => HOLDS.some((code) => code === reason?.code))) return;
    const names = open.slice(0, 10).map(({ workstream, verdict }) => `${workstream} (${verdict})`);
    const message = `nobody orchestrates, and not final are ${names.join(', ')}${open.length > 10 ? ', …' : ''}`;
    throw new OrchError('NOBODY_ORCHESTRATES', message, {
      hint: 'Run `orch reattach`: it repairs and goes on.',
    });
  };
}

/** No orchestrator and no worker: a live worker would start an orchestrator when it ends, which is after its last word. */
async function isAlone({ orchestrator, workstreams }: StatusList): Promise<boolean> {
  if (orchestrator !== null && orchestrator.alive !== false) return false;
  if (workstreams.some(({ alive }) => alive === true)) return false;
  for (const status of workstreams) if (await isEnding(status)) return false;
  return true;
}

/** True where the worker that wrote the record still lives. */
async function isEnding({ pid, identity }: WorkstreamStatus & { identity?: unknown }): Promise<boolean> {
  return pid !== null && isIdentity(identity) && (await judge(pid, identity)) === 'same';
}
