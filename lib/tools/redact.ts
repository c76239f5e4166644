import { maskSecrets } from '../protocol/mask.ts';
import { cutText, spellControls } from '../protocol/text.ts';

const NAMES_KEY = /key|token|secret|password|credential/i;
const MASK = '****';
const LEAST_LENGTH = 6;
const MESSAGE_BYTES = 300;

/** `text` as one line of at most 300 bytes, without the keys of `env` and without what looks like one. */
export function safeMessage(text: string, env: Readonly<Record<string, string>>): string {
  const keys = Object.entries(env)
    .filter(([name, value]) => NAMES_KEY.test(name) && value.length >= LEAST_LENGTH)
    .map(([, value]) => value)
    .sort((a, b) => b.length - a.length);
  const masked = maskSecrets(keys.reduce((sum, key) => sum.replaceAll(key, MASK), text));
  return cutText(spellControls(masked.replace(/\s+/g, ' ').trim()), MESSAGE_BYTES);
}
