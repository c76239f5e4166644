import { spellControls } from '../protocol/text.ts';

/** What is wrong with a plan, where, and what to do about it. */

export type FaultCode =
  | 'not_found'
  | 'not_a_file'
  | 'not_a_folder'
  | 'unreadable'
  | 'unsupported'
  | 'ambiguous'
  | 'too_large'
  | 'too_deep'
  | 'encoding'
  | 'syntax'
  | 'duplicate_key'
  | 'empty'
  | 'wrong_type'
  | 'missing_id'
  | 'missing_field'
  | 'bad_id'
  | 'duplicate_id'
  | 'no_table'
  | 'no_details'
  | 'unknown_dependency'
  | 'unmet_dependency'
  | 'cycle'
  | 'no_tasks'
  | 'bad_task'
  | 'bad_check'
  | 'bad_path'
  | 'bad_env'
  | 'bad_duration'
  | 'bad_priority'
  | 'bad_limits'
  | 'bad_sandbox'
  | 'bad_scope'
  | 'bad_text'
  | 'misnamed_field'
  | 'misplaced_field'
  | 'unknown_field'
  | 'secret'
  | 'unread_label'
  | 'done_task'
  | 'read_as_prose'
  | 'overlap'
  | 'outside_scope'
  | 'no_tool'
  | 'bad_tool'
  | 'no_repository';

/** `line` and `column` count from 1; `file` is as a person in the working folder would name it. */
export type Fault = {
  file: string;
  line: number;
  column: number;
  message: string;
  hint: string | null;
  code: FaultCode;
};

const QUOTED_LENGTH = 80;

/** The text with every control character spelled as `\uXXXX`, on one line. */
export function printable(text: string): string {
  return spellControls(text);
}

/** A value from a plan as a message shows it: in quotes, escaped, at most 80 characters. */
export function quote(text: string): string {
  const cut = text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}…` : text;
  return printable(JSON.stringify(cut));
}

/** A fault of a file as a whole. */
export function faultOfFile(file: string, code: FaultCode, message: string, hint: string | null): Fault {
  return { file, line: 1, column: 1, code, message: printable(message), hint: hint && printable(hint) };
}

const SHOWN_FAULTS = 50;

/** The faults as `formatFault` shows them, the first 50 of them. */
export function formatFaults(faults: readonly Fault[]): string[] {
  const shown = faults.slice(0, SHOWN_FAULTS).map(formatFault);
  return faults.length > SHOWN_FAULTS ? [...shown, `and ${faults.length - SHOWN_FAULTS} more`] : shown;
}

/** `file:line:column: message`, the hint on a line of its own. */
export function formatFault(fault: Fault): string {
  const head = `${printable(fault.file)}:${fault.line}:${fault.column}: ${printable(fault.message)}`;
  return fault.hint === null ? head : `${head}\n  ${printable(fault.hint)}`;
}
