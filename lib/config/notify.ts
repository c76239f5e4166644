import * as v from 'valibot';
import { NOTIFY_EVENTS, type Notifier, WEBHOOK_SHAPES } from '../protocol/notify.ts';

/** `notify` as people write it in the config. */

const WAYS = ['command', 'webhook', 'webhook_env', 'bell'] as const;
const KEYS: readonly string[] = ['on', 'shape', ...WAYS];
const WAY = 'an object with one of command, webhook, webhook_env and bell';

const SECRET_NAME = /key|token|secret|auth|passw|sig/i;
/** Long, with digits and letters mixed and no word to read: what services put into the path of a webhook. */
const RANDOM = /^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_-]{20,}$/;
/** Their whole URL is the secret. */
const SECRET_HOSTS = /(?:^|\.)(?:hooks\.slack\.com|discord(?:app)?\.com|webhook\.office\.com)$/;

function urlOf(text: string): URL | null {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
}

/** True if who reads this URL could send in its owner's name: such a one belongs into a variable. */
export function holdsSecret(text: string): boolean {
  const url = urlOf(text);
  if (url === null) return false;
  if (url.username !== '' || url.password !== '' || SECRET_HOSTS.test(url.hostname)) return true;
  const isSecret = ([name, value]: [string, string]): boolean => SECRET_NAME.test(name) || RANDOM.test(value);
  return [...url.searchParams].some(isSecret) || url.pathname.split('/').some((part) => RANDOM.test(part));
}

const Text = v.pipe(v.string('a text'), v.regex(/\S/, 'must not be empty'));
const isMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const hasOnlyKeys = (value: Record<string, unknown>): boolean =>
  Object.keys(value).every((key) => KEYS.includes(key));

const Written = v.pipe(
  v.custom<Record<string, unknown>>(isMap, WAY),
  v.check((value) => hasOnlyKeys(value), `may hold ${KEYS.join(', ')}`),
  // One fault for one mistake: a way that is misspelled is told above.
  v.check(
    (value) => !hasOnlyKeys(value) || WAYS.filter((way) => way in value).length === 1,
    `must be ${WAY}`,
  ),
  v.check(
    (value) => !('shape' in value) || 'webhook' in value || 'webhook_env' in value,
    'has a "shape", which is for webhooks',
  ),
  v.object(
    {
      on: v.optional(
        v.pipe(
          v.array(v.picklist(NOTIFY_EVENTS, `one of ${NOTIFY_EVENTS.join(', ')}`), 'a list of events'),
          v.minLength(1, 'must not be empty'),
        ),
      ),
      command: v.optional(Text),
      webhook: v.optional(
        v.pipe(
          v.string('a URL'),
          v.check((text) => urlOf(text) !== null, 'must be a URL that begins with http:// or https://'),
          v.check(
            (text) => !holdsSecret(text),
            'holds a secret, which a config must not: put the URL into a variable, and its name into "webhook_env"',
          ),
        ),
      ),
      webhook_env: v.optional(
        v.pipe(
          v.string('the name of a variable'),
          v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable alone, never with its value'),
        ),
      ),
      shape: v.optional(v.picklist(WEBHOOK_SHAPES, `one of ${WEBHOOK_SHAPES.join(', ')}`)),
      bell: v.optional(v.literal(true, 'true')),
    },
    WAY,
  ),
);
type WrittenNotifier = v.InferOutput<typeof Written>;

export const NotifySchema = v.pipe(
  v.array(Written, 'a list of notifiers'),
  v.description('Who is told when all is final, when one failed, when a person is needed'),
);

export function notifiersOf(written: readonly WrittenNotifier[]): Notifier[] {
  return written.map(({ on = [...NOTIFY_EVENTS], command, webhook, webhook_env, shape = 'json' }) => {
    if (command !== undefined) return { kind: 'command', on, command };
    if (webhook === undefined && webhook_env === undefined) return { kind: 'bell', on };
    return { kind: 'webhook', on, url: webhook ?? null, env: webhook_env ?? null, shape };
  });
}
