import { cutText, spellControls } from '../protocol/text.ts';

const NAMES_KEY = /key|token|secret|password|credential/i;
/** Shapes of keys of well-known providers; what a tool repeats of a key may be a part of it. */
const LOOKS_LIKE_KEY =
  /\b(?:sk|pk|rk)-[\w-]{8,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bAIza[\w-]{20,}|\bAKIA[A-Z0-9]{12,}|\bxox[abprs]-[\w-]{10,}|\bBearer\s+[\w.~+/-]{8,}=*/g;
const MASK = '***';
const LEAST_LENGTH = 6;
const MESSAGE_BYTES = 300;

/** True for a value that is a key by its shape. */
export function looksLikeKey(text: string): boolean {
  return new RegExp(LOOKS_LIKE_KEY.source).test(text);
}

/** `text` as one line of at most 300 bytes, without the keys of `env` and whatever else is a key by its shape. */
export function safeMessage(text: string, env: Readonly<Record<string, string>>): string {
  const keys = Object.entries(env)
    .filter(([name, value]) => NAMES_KEY.test(name) && value.length >= LEAST_LENGTH)
    .map(([, value]) => value)
    .sort((a, b) => b.length - a.length);
  const masked = keys.reduce((sum, key) => sum.replaceAll(key, MASK), text).replace(LOOKS_LIKE_KEY, MASK);
  return cutText(spellControls(masked.replace(/\s+/g, ' ').trim()), MESSAGE_BYTES);
}
