import { readWorkerEnvironment } from '../../config/environment.ts';
import { errnoOf } from '../../errors.ts';
import { failpoint } from '../../failpoint.ts';
import type { NotifyMessage, WebhookNotifier } from '../../protocol/notify.ts';
import type { PlanOptions } from '../../protocol/plan.ts';
import { aborted } from './bound.ts';
import { requestOf } from './message.ts';

const LATE = 'it did not answer in time';

/**
 * Posts the message within `signal`. No redirect is followed: the next host would get the message, and with it what is
 * in the URL. Null, or what went wrong; the URL is not in it, since it may hold a secret.
 */
export async function sendByWebhook(
  notifier: WebhookNotifier,
  options: Pick<PlanOptions, 'envFile'>,
  message: NotifyMessage,
  signal: AbortSignal,
): Promise<string | null> {
  const { env } = notifier;
  const url = notifier.url ?? variable(env ?? '', options);
  if (url === '') return `the variable ${env} is not set`;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return `the variable ${env} does not hold a URL`;
  const { headers, body } = requestOf(message, notifier.shape);
  try {
    failpoint('orchestrate.notify.post');
    const posted = fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
    // Whatever the library does about an abort: the bound ends the wait.
    const response = await Promise.race([posted, aborted(signal)]);
    if (response === 'aborted') return LATE;
    // What it says is nobody's business, and may be without end.
    await response.body?.cancel();
    return response.ok ? null : `it answered ${response.status}`;
  } catch (error) {
    if (signal.aborted) return LATE;
    const cause = error instanceof Error ? error.cause : null;
    return `it cannot be reached (${errnoOf(cause) ?? errnoOf(error) ?? 'no connection'})`;
  }
}

/** The env_file comes first, as for workers. */
function variable(name: string, { envFile }: Pick<PlanOptions, 'envFile'>): string {
  return readWorkerEnvironment({ envFile }).values[name] ?? process.env[name] ?? '';
}
