import type { Asked, Field, Offered } from './ask.ts';
import type { Edit } from './modes.ts';

/** A call of one of the client's tools: an object for most, text for those that take text. */
export type Call = { tool: string; input: Record<string, unknown> | string };

const PATH = ['file_path', 'filePath', 'path', 'absolute_path', 'filename'];
const OLD = ['old_string', 'oldString', 'old_str'];
const NEW = ['new_string', 'newString', 'new_str'];
const WHOLE = ['content', 'file_text', 'contents'];
const SHELL = ['command', 'cmd'];

const fieldOf = (tool: Offered, names: readonly string[]): Field | undefined =>
  tool.fields.find(({ name }) => names.includes(name));
const having = (tools: readonly Offered[], ...wanted: (readonly string[])[]): Offered | undefined =>
  tools.find((tool) => wanted.every((names) => fieldOf(tool, names) !== undefined));

/** Whether the client can change a file by one of its tools. */
export function canEdit({ tools }: Asked): boolean {
  return toolFor(tools, { path: '', old: '', new: '' }) !== null;
}

/**
 * The calls, one after the other, that make the edits with the tools that the client offers; a file is read before
 * it is changed, since some clients insist.
 */
export function callsFor({ tools, prompt }: Asked, edits: readonly Edit[]): Call[] {
  const folder = folderIn(prompt);
  return edits.flatMap((edit) => {
    const found = toolFor(tools, edit);
    if (found === null) return [];
    const path = folder === null || found.isPatch ? edit.path : `${folder}/${edit.path}`;
    const reader = edit.old === null ? undefined : tools.find(({ name }) => /^read(?:_file)?$/i.test(name));
    const asRead = reader === undefined ? [] : [callOf(reader, [[PATH, path]])];
    return [...asRead, found.call({ ...edit, path })];
  });
}

type Found = { isPatch: boolean; call: (edit: Edit) => Call };

/** A tool for exactly this, else a patch, else a shell. */
function toolFor(tools: readonly Offered[], edit: Edit): Found | null {
  const replace = having(tools, PATH, OLD, NEW);
  if (edit.old !== null && replace !== undefined) {
    const call = (one: Edit): Call =>
      callOf(replace, [
        [PATH, one.path],
        [OLD, one.old],
        [NEW, one.new],
        [['command'], 'str_replace'],
      ]);
    return { isPatch: false, call };
  }
  const whole = having(tools, PATH, WHOLE);
  if (edit.old === null && whole !== undefined) {
    const call = (one: Edit): Call =>
      callOf(whole, [
        [PATH, one.path],
        [WHOLE, one.new],
        [['command'], 'create'],
      ]);
    return { isPatch: false, call };
  }
  const patch = tools.find(({ name }) => name === 'apply_patch');
  if (patch !== undefined) {
    const call = (one: Edit): Call =>
      patch.input === 'text'
        ? { tool: patch.name, input: patchOf(one) }
        : callOf(patch, [[['input', 'patch', 'patchText'], patchOf(one)]]);
    return { isPatch: true, call };
  }
  const shell = tools.find(
    (tool) => /shell|bash|exec/i.test(tool.name) && fieldOf(tool, SHELL) !== undefined,
  );
  if (shell === undefined) return null;
  return {
    isPatch: true,
    call: (one) => callOf(shell, [[SHELL, `apply_patch <<'EOF_OF_PATCH'\n${patchOf(one)}EOF_OF_PATCH\n`]]),
  };
}

/** Fills what is given by any of its names, and what else the tool insists on. */
function callOf(tool: Offered, given: readonly (readonly [readonly string[], unknown])[]): Call {
  const input: Record<string, unknown> = {};
  for (const field of tool.fields) {
    const value = given.find(([names]) => names.includes(field.name))?.[1];
    if (value !== undefined) input[field.name] = field.type === 'array' ? ['bash', '-lc', value] : value;
    else if (field.isRequired) input[field.name] = fillerOf(field);
  }
  return { tool: tool.name, input };
}

function fillerOf({ type }: Field): unknown {
  if (type === 'boolean') return false;
  if (type === 'number' || type === 'integer') return 1;
  if (type === 'array') return [];
  return type === 'object' ? {} : 'The change that the task asks for.';
}

/** As codex spells a patch: the lines themselves, without numbers. */
function patchOf({ path, old, new: text }: Edit): string {
  const lines = (sign: string, of: string): string[] =>
    of
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => sign + line);
  const body =
    old === null
      ? [`*** Add File: ${path}`, ...lines('+', text)]
      : [`*** Update File: ${path}`, '@@', ...lines('-', old), ...lines('+', text)];
  return ['*** Begin Patch', ...body, '*** End Patch', ''].join('\n');
}

/** Where the client says that it works; null where it does not say. */
function folderIn(prompt: string): string | null {
  const said =
    /(?:working directory|working in the (?:following )?director(?:y|ies)|\bcwd)\b[^/\n]{0,40}\n?[^/\n]{0,8}(\/[^\s<>`"',]+)/i.exec(
      prompt,
    );
  return said?.[1]?.replace(/[./]+$/, '') ?? null;
}
