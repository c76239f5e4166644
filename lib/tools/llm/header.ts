const FENCE_LINE = /^\s*(?:`{3,}|~{3,})(?:\s*[\w.+#-]+)?\s*$/;
const KEYWORD = /^(?:file(?:name)?|path)\s*:\s*/i;
/** Headings, list items and numbers that models put before a name. */
const DECORATION = /^(?:#{1,6}\s+|[-*]\s+|\d{1,3}[.)]\s+)/;

/**
 * The file that a block is for: named by the nearest line above it that is neither empty nor a fence. Where that is
 * the end of the block before, it is the same file. Null where the line names none: prose is no name.
 */
export function readHeader(
  lines: readonly string[],
  blockAt: number,
  previous: { path: string; end: number } | null,
): string | null {
  const first = previous?.end ?? 0;
  for (let at = blockAt - 1; at >= first; at -= 1) {
    const line = lines[at] ?? '';
    if (line.trim() === '' || FENCE_LINE.test(line)) continue;
    return nameIn(line);
  }
  return previous?.path ?? null;
}

/** With a keyword everything behind it is the name; without one it must look like a path, which `Done:` does not. */
function nameIn(line: string): string | null {
  const text = unwrap(line.trim().replace(DECORATION, ''));
  const hasKeyword = KEYWORD.test(text);
  const name = hasKeyword ? unwrap(text.replace(KEYWORD, '')) : unwrap(text.replace(/:$/, ''));
  if (name === '') return null;
  return hasKeyword || (/^[^\s`*]+$/.test(name) && /[./][\w-]/.test(name)) ? name : null;
}

/** Without one pair of asterisks and of backticks around it. */
function unwrap(text: string): string {
  return text
    .trim()
    .replace(/^\*\*(.+)\*\*$/, '$1')
    .replace(/^`([^`]+)`$/, '$1')
    .trim();
}
