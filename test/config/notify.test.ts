import { expect, it } from 'vitest';
import { holdsSecret } from '../../lib/config/notify.ts';
import { readConfig } from '../../lib/config/read.ts';
import { isNotifier } from '../../lib/protocol/notify.ts';
import { folderWith } from '../plan/scratch.ts';

async function read(notify: unknown) {
  const root = await folderWith({ 'orch.config.json': JSON.stringify({ notify }) });
  const result = await readConfig(root, root);
  return result.ok ? result.config.options.notify : result.faults;
}

it('reads commands, webhooks and the bell', async () => {
  const all = ['final', 'failed', 'attention'];
  const notifiers = await read([
    { on: ['failed'], command: 'notify-send orch' },
    { webhook: 'https://ntfy.example/my-topic', shape: 'ntfy' },
    { webhook_env: 'HOOK' },
    { bell: true },
  ]);
  expect(notifiers).toEqual([
    { kind: 'command', on: ['failed'], command: 'notify-send orch' },
    { kind: 'webhook', on: all, url: 'https://ntfy.example/my-topic', env: null, shape: 'ntfy' },
    { kind: 'webhook', on: all, url: null, env: 'HOOK', shape: 'json' },
    { kind: 'bell', on: all },
  ]);
  expect((notifiers ?? []).every(isNotifier)).toBe(true);
});

it.each([
  ['no list', { command: 'x' }],
  ['no way', [{}]],
  ['two ways', [{ command: 'x', bell: true }]],
  ['an unknown key', [{ comand: 'x' }]],
  ['an unknown event', [{ on: ['done'], command: 'x' }]],
  ['no event', [{ on: [], command: 'x' }]],
  ['an empty command', [{ command: ' ' }]],
  ['no URL', [{ webhook: 'ntfy.example/x' }]],
  ['another scheme', [{ webhook: 'file:///etc/passwd' }]],
  ['a value for a name', [{ webhook_env: 'https://x' }]],
  ['a shape without a webhook', [{ command: 'x', shape: 'ntfy' }]],
  ['no bell', [{ bell: false }]],
])('faults %s', async (_what, notify) => {
  const faults = await read(notify);
  expect(faults).toMatchObject([{ line: expect.any(Number), code: expect.any(String) }]);
});

it.each([
  'https://hooks.slack.com/services/T0/B0/x',
  'https://user:pass@example.com/x',
  'https://example.com/x?token=1',
  'https://example.com/hooks/a8f3b1c9d0e7a8f3b1c9d0',
])('faults a secret in %s, names webhook_env and does not repeat it', async (url) => {
  expect(holdsSecret(url)).toBe(true);
  const text = JSON.stringify(await read([{ webhook: url }]));
  expect(text).toContain('webhook_env');
  expect(text).not.toContain(url);
});

it('takes a topic that can be read for none', () => {
  for (const url of ['https://ntfy.sh/team-refactoring-night', 'http://127.0.0.1:8080/hook?team=a'])
    expect(holdsSecret(url)).toBe(false);
});
