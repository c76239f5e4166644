import { codedFault, EXIT_CODE, messageOf, OrchError } from '../errors.ts';
import { escapeControls, jsonLine } from '../protocol/text.ts';

const REPORT_HINT = 'This is a fault of orch. Please report it with the stack above.';

/** Tells a failure on stderr, for people or as JSON; the exit code of the command. */
export function reportFailure(thrown: unknown, json: boolean): number {
  const error = codedFault(thrown);
  if (!(error instanceof OrchError)) {
    if (!json) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    tell('INTERNAL', messageOf(error), REPORT_HINT, json);
    return EXIT_CODE.INTERNAL;
  }
  tell(error.code, error.message, error.hint, json);
  return EXIT_CODE[error.code];
}

function tell(code: string, message: string, hint: string | null, json: boolean): void {
  if (json) {
    process.stderr.write(jsonLine({ error: { code, message, hint } }));
    return;
  }
  // Lists of faults come as lines of their own; everything else that could move the cursor is made visible.
  const text = message.split('\n').map(escapeControls).join('\n');
  process.stderr.write(`orch: ${text}\n${hint === null ? '' : `${escapeControls(hint)}\n`}`);
}
