/** Notifications: who is told of what. What a config says, as a frozen plan keeps it. */

export const NOTIFY_EVENTS = ['final', 'failed', 'attention'] as const;
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number];

export const WEBHOOK_SHAPES = ['json', 'ntfy', 'slack'] as const;
export type WebhookShape = (typeof WEBHOOK_SHAPES)[number];

type CommandNotifier = { kind: 'command'; on: NotifyEvent[]; command: string };
/** `env`: the name of the variable that holds the URL, where `url` is null. */
export type WebhookNotifier = {
  kind: 'webhook';
  on: NotifyEvent[];
  url: string | null;
  env: string | null;
  shape: WebhookShape;
};
/** For terminals that watch: an orchestrator in the background has none. */
type BellNotifier = { kind: 'bell'; on: NotifyEvent[] };
export type Notifier = CommandNotifier | WebhookNotifier | BellNotifier;

const isText = (value: unknown): boolean => typeof value === 'string';

/** True for what a launch may have frozen. */
export function isNotifier(value: unknown): value is Notifier {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, on, command, url, env, shape } = value as Record<string, unknown>;
  if (!Array.isArray(on) || !on.every((event) => NOTIFY_EVENTS.some((one) => one === event))) return false;
  if (kind === 'command') return isText(command);
  if (kind === 'webhook') return isText(url ?? env) && WEBHOOK_SHAPES.some((one) => one === shape);
  return kind === 'bell';
}

/** What a notifier is told: `orch.notify/1`. */
export type NotifyMessage = {
  schema: 'orch.notify/1';
  /** The same for the same thing, however often it is told. */
  id: string;
  event: NotifyEvent;
  at: number;
  root: string;
  run: string;
  title: string;
  text: string;
  /** The first 20 of them. */
  workstreams: { workstream: string; status: string; reason: { code: string; message: string } | null }[];
  workstreams_total: number;
  /** How many of the plan there are in each state. */
  summary: { total: number; [state: string]: number };
};
