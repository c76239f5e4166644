import { escapeControls, jsonLine } from '../protocol/text.ts';

export type Warning = { code: string; message: string; hint: string | null };

/** Tells of something that is no fault on stderr: for people, or with `json` as a line `{"warning": …}`. */
export function warn(
  { code, message, hint, ...place }: Warning & Record<string, unknown>,
  json: boolean,
): void {
  const next = hint === null || hint === '' ? '' : ` ${escapeControls(hint)}`;
  const text = `orch: warning: ${escapeControls(message)}.${next}\n`;
  process.stderr.write(json ? jsonLine({ warning: { code, message, hint, ...place } }) : text);
}
