import { maskSecrets } from '../../protocol/mask.ts';
import type { NotifyEvent, NotifyMessage, WebhookShape } from '../../protocol/notify.ts';
import { cutText, escapeControls } from '../../protocol/text.ts';
import type { Occasion, Sight } from './due.ts';

const LISTED = 20;
const TITLED = 3;
const TEXT_BYTES = 2_048;

/** It leaves this machine: on one line, secrets masked. */
const plain = (text: string): string => escapeControls(cutText(maskSecrets(text), 300));

/** One message for all that is to be told of one event: a hundred failures at once are one message. */
export function messageOfOccasions(
  root: string,
  run: string,
  event: NotifyEvent,
  occasions: readonly Occasion[],
  all: readonly Sight[],
): NotifyMessage {
  const about = [
    ...new Map(occasions.flatMap((one) => one.about).map((sight) => [sight.id, sight])).values(),
  ];
  const summary: NotifyMessage['summary'] = { total: all.length };
  for (const { state } of all) summary[state] = (summary[state] ?? 0) + 1;
  const shown = event === 'final' ? about.filter(({ state }) => !isDone(state)) : about;
  const lines = shown
    .slice(0, LISTED)
    .map(({ id, state, reason }) => `${id} ${state}${reason === null ? '' : `: ${plain(reason.message)}`}`);
  if (shown.length > LISTED) lines.push(`… and ${shown.length - LISTED} more`);
  return {
    schema: 'orch.notify/1',
    id: occasions[0]?.key ?? '',
    event,
    at: Date.now() / 1000,
    root,
    run,
    title: titleOf(event, about, summary),
    text: cutText(lines.join('\n'), TEXT_BYTES),
    workstreams: about.slice(0, LISTED).map(({ id, state, reason }) => ({
      workstream: id,
      status: state,
      reason: reason === null ? null : { code: reason.code, message: plain(reason.message) },
    })),
    workstreams_total: about.length,
    summary,
  };
}

const isDone = (state: string): boolean => state === 'completed' || state === 'merged';

function titleOf(event: NotifyEvent, about: readonly Sight[], summary: NotifyMessage['summary']): string {
  if (event === 'final')
    return `${(summary['completed'] ?? 0) + (summary['merged'] ?? 0)} of ${summary.total} completed`;
  const ids = about.slice(0, TITLED).map(({ id }) => id);
  const names = `${ids.join(', ')}${about.length > TITLED ? ` and ${about.length - TITLED} more` : ''}`;
  if (event === 'failed') return `${names} failed`;
  return `${names} ${about.length === 1 ? 'needs' : 'need'} attention`;
}

const PRIORITY = { final: '3', failed: '4', attention: '4' } as const;
const TAGS = { final: 'checkered_flag', failed: 'x', attention: 'warning' } as const;

/** A header holds no line ends, and what is not ASCII only in this spelling (RFC 2047). */
function headerText(text: string): string {
  const line = text.replace(/[\r\n]+/g, ' ');
  return /^[\x20-\x7e]*$/.test(line) ? line : `=?UTF-8?B?${Buffer.from(line).toString('base64')}?=`;
}

/** Slack reads these three as its own marks. */
const slackText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The message as a service wants it. */
export function requestOf(
  message: NotifyMessage,
  shape: WebhookShape,
): { headers: Record<string, string>; body: string } {
  const title = `orch: ${message.title}`;
  switch (shape) {
    case 'json':
      return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(message) };
    case 'slack': {
      const text = slackText(message.text === '' ? title : `${title}\n${message.text}`);
      return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) };
    }
    case 'ntfy': {
      const { event } = message;
      const headers = { title: headerText(title), priority: PRIORITY[event], tags: TAGS[event] };
      return {
        headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
        body: message.text === '' ? title : message.text,
      };
    }
  }
}
