import { messageOf, OrchError } from '../../errors.ts';
import { createToken } from '../../process/system.ts';
import { orchestratorLogPath } from '../../protocol/layout.ts';
import { NOTIFY_EVENTS, type Notifier, type NotifyMessage } from '../../protocol/notify.ts';
import type { FrozenPlan } from '../../protocol/plan.ts';
import { type Actor, audit } from '../../store/events.ts';
import { type Notified, readNotified, writeNotified } from '../../store/notified.ts';
import { appendLine } from '../../store/open.ts';
import type { World } from '../world.ts';
import { newOccasions, type Occasion, occasionsOf } from './due.ts';
import { messageOfOccasions } from './message.ts';
import { sightsOfWorld } from './sights.ts';

/** Sends notifications beside the loop: nothing that a notifier does, or does not do, holds the work up. */
export type Courier = {
  /** Sends, some time later, what this look shows and was not told before. */
  consider(world: World): void;
  /** Nothing is being sent and nothing waits. */
  isIdle(): boolean;
  /** Cuts off what is being sent; the next orchestrator sends it once more. */
  close(): Promise<void>;
};

const SEND_BOUND_MS = 10_000;
/** One that its orchestrator did not live to tell of is tried once more: rather twice than never. */
const TRIES_MAX = 2;

type Sendable = Exclude<Notifier, { kind: 'bell' }>;
type Due = { occasion: Occasion; world: World; plan: FrozenPlan };

/** For whoever holds the role. `onIdle` is called whenever there is nothing left to send. */
export function makeCourier(root: string, actor: Actor, onIdle: () => void): Courier {
  const closing = new AbortController();
  let remembered: Map<string, Notified> | null = null;
  const known = new Set<string>();
  let waiting: Due[] = [];
  let sending: Promise<void> | null = null;
  const tell = tellOnce(root);

  const recall = (): Map<string, Notified> => {
    if (remembered !== null) return remembered;
    remembered = new Map(readNotified(root).map((one) => [one.key, one]));
    for (const { key, state, tries } of remembered.values())
      if (state !== 'sending' || tries >= TRIES_MAX) known.add(key);
    return remembered;
  };

  const note = async (due: readonly Due[], mark: string, state: Notified['state']): Promise<void> => {
    const memory = recall();
    for (const { occasion } of due) {
      const { key, event } = occasion;
      const tries = (memory.get(key)?.tries ?? 0) + (state === 'sending' ? 1 : 0);
      // To the end of the list: the latest are remembered.
      memory.delete(key);
      memory.set(key, { key, event, at: Date.now() / 1000, state, tries, mark });
    }
    await writeNotified(root, [...memory.values()]);
  };

  const sendBatch = async (batch: readonly Due[]): Promise<void> => {
    const memory = recall();
    const { endBatch } = await import('./send-command.ts');
    for (const { occasion } of batch) {
      const before = memory.get(occasion.key);
      if (before?.state === 'sending') await endBatch(before.mark);
    }
    const mark = createToken();
    await note(batch, mark, 'sending');
    const faults = await Promise.all(
      NOTIFY_EVENTS.map(async (event) => {
        const due = batch.filter(({ occasion }) => occasion.event === event);
        const last = due.at(-1);
        if (last === undefined) return { due, isTold: true };
        const { world, plan } = last;
        const occasions = due.map(({ occasion }) => occasion);
        const message = messageOfOccasions(root, plan.run, event, occasions, sightsOfWorld(world));
        const isTold = await sendToAll(message, plan, mark);
        return { due, isTold };
      }),
    );
    if (closing.signal.aborted) return;
    for (const { due, isTold } of faults)
      if (due.length > 0) await note(due, mark, isTold ? 'sent' : 'failed');
  };

  const sendToAll = async (message: NotifyMessage, plan: FrozenPlan, mark: string): Promise<boolean> => {
    const notifiers = sendable(plan).filter(({ on }) => on.includes(message.event));
    const results = await Promise.all(
      notifiers.map(async (notifier, at) => {
        const fault = await sendTo(root, notifier, message, plan, mark, closing.signal);
        if (closing.signal.aborted) return true;
        const name = nameOf(notifier, at);
        const what = `${message.event} (${message.title})`;
        const why =
          fault === null ? `${name} was told: ${what}` : `${name} could not be told: ${what}: ${fault}`;
        const workstream =
          message.workstreams_total === 1 ? (message.workstreams[0]?.workstream ?? null) : null;
        audit(root, actor, { event: 'notify', workstream, why, id: message.id, ok: fault === null });
        if (fault !== null) tell(name, fault);
        return fault === null;
      }),
    );
    return results.every(Boolean);
  };

  const work = async (): Promise<void> => {
    while (waiting.length > 0 && !closing.signal.aborted) {
      const batch = waiting;
      waiting = [];
      try {
        await sendBatch(batch);
      } catch (error) {
        // Whatever it was, it is no reason to end an orchestrator.
        tell('notify', messageOf(error));
      }
    }
    sending = null;
    onIdle();
  };

  return {
    consider(world) {
      const { plan } = world;
      if (plan === null || closing.signal.aborted) return;
      const events = new Set(sendable(plan).flatMap(({ on }) => on));
      if (events.size === 0) return;
      recall();
      const now = occasionsOf(sightsOfWorld(world), plan.run, world.held);
      const due = newOccasions(now, known).filter(({ event }) => events.has(event));
      for (const occasion of due) {
        known.add(occasion.key);
        waiting.push({ occasion, world, plan });
      }
      if (waiting.length > 0) sending ??= work();
    },
    isIdle: () => sending === null,
    async close() {
      closing.abort();
      await sending;
    },
  };
}

const sendable = ({ options }: FrozenPlan): Sendable[] =>
  (options.notify ?? []).filter((one): one is Sendable => one.kind !== 'bell');

/** Which of them it is: a URL or a command may hold what is nobody's business. */
const nameOf = ({ kind }: Sendable, at: number): string => `notifier ${at + 1} (${kind})`;

async function sendTo(
  root: string,
  notifier: Sendable,
  message: NotifyMessage,
  { options }: FrozenPlan,
  mark: string,
  closing: AbortSignal,
): Promise<string | null> {
  const signal = AbortSignal.any([closing, AbortSignal.timeout(SEND_BOUND_MS)]);
  try {
    if (notifier.kind === 'webhook') {
      const { sendByWebhook } = await import('./send-webhook.ts');
      return await sendByWebhook(notifier, options, message, signal);
    }
    const { sendByCommand } = await import('./send-command.ts');
    return await sendByCommand(root, notifier.command, message, mark, signal);
  } catch (error) {
    return messageOf(error);
  }
}

/** Each fault of each notifier once, in the orchestrator's log. */
function tellOnce(root: string): (name: string, fault: string) => void {
  const told = new Set<string>();
  return (name, fault) => {
    if (told.has(`${name} ${fault}`)) return;
    told.add(`${name} ${fault}`);
    try {
      appendLine(orchestratorLogPath(root), `orch: ${new Date().toISOString()} ${name}: ${fault}`);
    } catch (error) {
      // A full disk costs the word.
      if (!(error instanceof OrchError)) throw error;
    }
  };
}
