import { messageOf, OrchError } from '../../errors.ts';
import { createToken } from '../../process/system.ts';
import { orchestratorLogPath } from '../../protocol/layout.ts';
import { NOTIFY_EVENTS, type Notifier, type NotifyEvent, type NotifyMessage } from '../../protocol/notify.ts';
import type { FrozenPlan } from '../../protocol/plan.ts';
import { type Actor, audit } from '../../store/events.ts';
import { appendLine } from '../../store/open.ts';
import type { World } from '../world.ts';
import { boundOf } from './bound.ts';
import { newOccasions, type Occasion, occasionsOf } from './due.ts';
import { type NotifyMemory, recallNotified } from './memory.ts';
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

type Sendable = Exclude<Notifier, { kind: 'bell' }>;
type Due = { occasion: Occasion; world: World; plan: FrozenPlan };
type Office = {
  root: string;
  actor: Actor;
  closing: AbortSignal;
  memory: () => NotifyMemory;
  /** Tells a fault of a notifier, each once. */
  complain: (name: string, fault: string) => void;
};

/** For whoever holds the role. `onIdle` is called whenever there is nothing left to send. */
export function makeCourier(root: string, actor: Actor, onIdle: () => void): Courier {
  const closing = new AbortController();
  let memory: NotifyMemory | null = null;
  const office: Office = {
    root,
    actor,
    closing: closing.signal,
    memory: () => {
      memory ??= recallNotified(root);
      return memory;
    },
    complain: complainOnce(root),
  };
  let waiting: Due[] = [];
  let sending: Promise<void> | null = null;
  let isTidy = false;
  const attempt = async (task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      // Whatever it was, it is no reason to end an orchestrator.
      office.complain('notify', messageOf(error));
    }
  };
  const work = async (): Promise<void> => {
    if (!isTidy) await attempt(() => endLeft(office));
    isTidy = true;
    while (waiting.length > 0 && !closing.signal.aborted) {
      const batch = waiting;
      waiting = [];
      await attempt(() => sendBatch(office, batch));
    }
    sending = null;
    onIdle();
  };
  return {
    consider(world) {
      if (closing.signal.aborted) return;
      waiting.push(...dueIn(office, world));
      if (waiting.length > 0 || (!isTidy && (memory?.left.length ?? 0) > 0)) sending ??= work();
    },
    isIdle: () => sending === null,
    async close() {
      closing.abort();
      await sending;
    },
  };
}

/** What is to be told of this look; from now on it counts as told. Without a notifier no file is looked at. */
function dueIn({ memory }: Office, world: World): Due[] {
  const { plan } = world;
  if (plan === null) return [];
  const events = new Set(sendable(plan).flatMap(({ on }) => on));
  if (events.size === 0) return [];
  const { known } = memory();
  const now = occasionsOf(sightsOfWorld(world), plan.run, world.held);
  const due = newOccasions(now, known).filter(({ event }) => events.has(event));
  for (const { key } of due) known.add(key);
  return due.map((occasion) => ({ occasion, world, plan }));
}

/** Ends what an orchestrator before did not live to end, whether or not it is told once more. */
async function endLeft(office: Office): Promise<void> {
  const memory = office.memory();
  if (memory.left.length === 0) return;
  const { endBatch } = await import('./send-command.ts');
  for (const mark of memory.left) await endBatch(office, mark);
  await memory.noteEnded();
}

async function sendBatch(office: Office, batch: readonly Due[]): Promise<void> {
  const memory = office.memory();
  const mark = createToken();
  await memory.note(occasionsIn(batch), mark, 'sending');
  const sent = await Promise.all(NOTIFY_EVENTS.map((event) => sendEvent(office, event, batch, mark)));
  // What was cut off stays `sending`: the next orchestrator tells it.
  if (office.closing.aborted) return;
  for (const { occasions, isTold } of sent)
    if (occasions.length > 0) await memory.note(occasions, mark, isTold ? 'sent' : 'failed');
}

const occasionsIn = (batch: readonly Due[]): Occasion[] => batch.map(({ occasion }) => occasion);

async function sendEvent(
  office: Office,
  event: NotifyEvent,
  batch: readonly Due[],
  mark: string,
): Promise<{ occasions: Occasion[]; isTold: boolean }> {
  const due = batch.filter(({ occasion }) => occasion.event === event);
  const last = due.at(-1);
  const occasions = occasionsIn(due);
  if (last === undefined) return { occasions, isTold: true };
  const { world, plan } = last;
  const message = messageOfOccasions(office.root, plan.run, event, occasions, sightsOfWorld(world));
  const told = await Promise.all(
    sendable(plan).map(async (notifier) => {
      if (!notifier.on.includes(event)) return true;
      const fault = await sendTo(office, notifier, message, plan, mark);
      return office.closing.aborted || note(office, nameOf(notifier, plan), message, fault);
    }),
  );
  return { occasions, isTold: told.every(Boolean) };
}

/** Puts the result into the event log; true if it was told. */
function note(
  { root, actor, complain }: Office,
  name: string,
  message: NotifyMessage,
  fault: string | null,
): boolean {
  const { id, event, title, workstreams, workstreams_total: total } = message;
  const what = `${event} (${title})`;
  const why = fault === null ? `${name} was told: ${what}` : `${name} could not be told: ${what}: ${fault}`;
  const workstream = total === 1 ? (workstreams[0]?.workstream ?? null) : null;
  audit(root, actor, { event: 'notify', workstream, why, id, ok: fault === null });
  if (fault !== null) complain(name, fault);
  return fault === null;
}

const sendable = ({ options }: FrozenPlan): Sendable[] =>
  (options.notify ?? []).filter((one): one is Sendable => one.kind !== 'bell');

/** Which of the config's it is: a URL or a command may hold what is nobody's business. */
const nameOf = (notifier: Sendable, { options }: FrozenPlan): string =>
  `notifier ${(options.notify ?? []).indexOf(notifier) + 1} (${notifier.kind})`;

async function sendTo(
  office: Office,
  notifier: Sendable,
  message: NotifyMessage,
  { options }: FrozenPlan,
  mark: string,
): Promise<string | null> {
  const { signal, rest } = boundOf(office.closing, SEND_BOUND_MS);
  try {
    if (notifier.kind === 'webhook') {
      const { sendByWebhook } = await import('./send-webhook.ts');
      return await sendByWebhook(notifier, options, message, signal);
    }
    const { sendByCommand } = await import('./send-command.ts');
    return await sendByCommand(office, notifier.command, message, mark, signal);
  } catch (error) {
    return messageOf(error);
  } finally {
    rest();
  }
}

/** Each fault of each notifier once, in the orchestrator's log. */
function complainOnce(root: string): Office['complain'] {
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
