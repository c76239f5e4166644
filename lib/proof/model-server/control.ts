import * as v from 'valibot';
import { OrchError } from '../../errors.ts';
import type { Met } from './met.ts';
import { DEFAULT_SCRIPT, MODES, type Script } from './modes.ts';

/** For who starts the server as a program of its own: `PUT /_script`, `GET /_met`. Null for what is none of it. */
export function control(
  method: string,
  path: string,
  body: Buffer,
  server: { play(script: Partial<Script>): void; met: readonly Met[] },
): unknown {
  if (method === 'GET' && path === '/_met') return server.met;
  if (method !== 'PUT' || path !== '/_script') return null;
  const script = readScript(body.toString('utf8'));
  server.play(script);
  return script;
}

const EDIT = v.object({ path: v.string(), old: v.nullable(v.string()), new: v.string() });
const SCRIPT = v.strictObject({
  modes: v.optional(v.pipe(v.array(v.picklist(MODES)), v.minLength(1)), [...DEFAULT_SCRIPT.modes]),
  edits: v.optional(v.array(EDIT), []),
  text: v.optional(v.string(), DEFAULT_SCRIPT.text),
  retryAfterSeconds: v.optional(v.number(), DEFAULT_SCRIPT.retryAfterSeconds),
});

/** A script in JSON. Throws `USAGE`. */
export function readScript(json: string): Partial<Script> {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), SCRIPT), json);
  if (result.success) return result.output;
  throw new OrchError('USAGE', `not a script of the model server: ${result.issues[0].message}`, {
    hint: `Modes: ${MODES.join(', ')}`,
  });
}
