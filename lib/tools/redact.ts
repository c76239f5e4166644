import { maskSecrets } from '../protocol/mask.ts';
import { cutText, spellControls } from '../protocol/text.ts';

const NAMES_KEY = /key|token|secret|password|credential/i;
const MASK = '****';
const LEAST_LENGTH = 6;
const MESSAGE_BYTES = 300;
/** Of which a message is made; a line of a tool may be as long as it likes. */
const READ_LENGTH = 8_192;

/** `text` as one line of at most 300 bytes, without the keys of `env` and without what looks like one. */
export function safeMessage(text: string, env: Readonly<Record<string, string>>): string {
  const keys = Object.entries(env)
    .filter(([name, value]) => NAMES_KEY.test(name) && value.length >= LEAST_LENGTH)
    .map(([, value]) => value)
    .sort((a, b) => b.length - a.length);
  // A key across the cut would lose its shape: what is cut off is far behind what is shown.
  const begin = text.trimStart().slice(0, READ_LENGTH);
  const masked = maskSecrets(keys.reduce((sum, key) => sum.replaceAll(key, MASK), begin));
  return cutText(spellControls(masked.replace(/\s+/g, ' ').trim()), MESSAGE_BYTES);
}
