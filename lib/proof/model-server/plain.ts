import type { Edit } from './modes.ts';

/**
 * Edits in plain text, as the client asks for them: it shows the form in its own instructions. Aider wants blocks of
 * search and replace or, of models that it does not know, whole files; `llm` has a form of its own for new files.
 */
export function plainEdits(edits: readonly Edit[], prompt: string): string {
  const spelled = edits.map((edit) => {
    if (edit.old === null && prompt.includes(WHOLE_FILE)) return wholeFile(edit);
    return prompt.includes('SEARCH') ? block(edit) : listing(edit, prompt);
  });
  return `Here is the change.\n\n${spelled.join('\n\n')}\n`;
}

const WHOLE_FILE = '<<<<<<< WHOLE FILE';

const linesOf = (text: string): string[] => (text === '' ? [] : [text.replace(/\n$/, '')]);

function wholeFile({ path, new: text }: Edit): string {
  return [`FILE: ${path}`, WHOLE_FILE, ...linesOf(text), '>>>>>>> WHOLE FILE'].join('\n');
}

/** An empty search makes a new file. */
function block({ path, old, new: text }: Edit): string {
  const search = ['<<<<<<< SEARCH', ...linesOf(old ?? ''), '=======', ...linesOf(text), '>>>>>>> REPLACE'];
  return [path, '```', ...search, '```'].join('\n');
}

/** The whole file; where only a part of it changes, the rest is as the client showed it. */
function listing({ path, old, new: text }: Edit, prompt: string): string {
  const shown = `\n${prompt}`.split(`\n${path}\n\`\`\`\n`).at(-1)?.split('\n```')[0] ?? '';
  const content = old === null ? text : `${shown}\n`.replace(old, () => text);
  return [path, '```', ...linesOf(content), '```'].join('\n');
}
