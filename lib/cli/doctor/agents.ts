import { readConfig } from '../../config/read.ts';
import { OrchError } from '../../errors.ts';
import { builtFile } from '../../executors/launch.ts';
import { openRepository } from '../../git/repository.ts';
import { type Cell, runCell } from '../../proof/agents/cell.ts';
import { expectedOf } from '../../proof/agents/expected.ts';
import { SUBJECTS, type Subject } from '../../proof/agents/subjects.ts';
import type { Outcome } from '../../protocol/status.ts';
import { jsonLine } from '../../protocol/text.ts';
import { adapterNamed, settingsOf, type ToolTable } from '../../tools/registry.ts';
import { interruptSignal } from '../interrupt.ts';
import { painter, screenOf } from '../render.ts';
import { type Column, type Cell as TableCell, tableLines } from '../table.ts';

export type AgentsArgs = { root: string | undefined; json: boolean; quiet: boolean; color: boolean };

/** Enough for a slow start, and for the tries that a tool makes by itself. */
const BOUNDS = { timeoutMs: 180_000, stallMs: 90_000 };
/** What is tried: whether an edit arrives in the worktree, and whether a refused key is told from success. */
const TRIED = ['edit', '401'] as const;

type Try = {
  mode: (typeof TRIED)[number];
  outcome: Outcome;
  expected: Outcome;
  ok: boolean;
  seconds: number;
  message: string;
};
type Row = {
  name: string;
  file: string | null;
  version: string | null;
  why: string | null;
  hint: string | null;
  tries: Try[];
};

/**
 * `orch doctor --agents`: runs each coding tool that is found against a fake model server, in a temporary repository
 * with a home of its own: no model is asked, nothing of the user's is read or changed. Exit code 0, 1 or 130.
 */
export async function probeAgents(args: AgentsArgs): Promise<number> {
  const signal = interruptSignal();
  const tools = await toolsOf(args.root ?? '.');
  const isShown = !args.json && !args.quiet && process.stderr.isTTY === true;
  const rows: Row[] = [];
  for (const subject of SUBJECTS) {
    if (isShown) process.stderr.write(`${CLEAR_LINE}${subject.name} …`);
    rows.push(await probe(subject, tools, signal));
    if (signal.aborted) break;
  }
  if (isShown) process.stderr.write(CLEAR_LINE);
  if (signal.aborted) return 130;
  const isSound = rows.every(({ tries }) => tries.every(({ ok }) => ok));
  process.stdout.write(args.json ? jsonLine(asJson(rows, isSound)) : textOf(rows, isSound, args));
  return isSound ? 0 : 1;
}

const CLEAR_LINE = '\r\u001b[K';

/** What the config says of tools, where there is one: programs may be elsewhere than on PATH. */
async function toolsOf(dir: string): Promise<ToolTable> {
  try {
    const { root } = await openRepository(dir);
    const read = await readConfig(root, process.cwd());
    return read.ok ? (read.config.options.tools ?? {}) : {};
  } catch (error) {
    if (error instanceof OrchError) return {};
    throw error;
  }
}

/** `subject` with the program that the config names. */
function configured(subject: Subject, tools: ToolTable): Subject {
  const { executable } = settingsOf(subject.tool, tools);
  if (executable === undefined) return subject;
  return {
    ...subject,
    connect: (url, home) => {
      const connection = subject.connect(url, home);
      return { ...connection, settings: { ...connection.settings, executable } };
    },
  };
}

async function probe(plain: Subject, tools: ToolTable, signal: AbortSignal): Promise<Row> {
  const subject = configured(plain, tools);
  const { name, tool } = subject;
  const adapter = adapterNamed(tool);
  const { env, settings } = subject.connect('http://127.0.0.1:9', '/nonexistent');
  const full = { ...process.env, ...env };
  const found = adapter?.find(full, settings) ?? null;
  if (adapter === null || found === null || !found.usable) {
    const [why, hint] = found?.usable === false ? [found.why, found.hint] : ['unknown', null];
    return { name, file: null, version: null, why, hint, tries: [] };
  }
  const options = { probe: builtFile('agent-probe.js'), person: process.env, ...BOUNDS, signal };
  const [version, ...cells] = await Promise.all([
    adapter.version(full, settings),
    ...TRIED.map((mode) => runCell(subject, mode, options)),
  ]);
  const file = tool === 'llm' ? null : found.file;
  return {
    name,
    file,
    version,
    why: null,
    hint: null,
    tries: cells.map((cell, at) => tryOf(cell, TRIED[at] ?? 'edit')),
  };
}

function tryOf({ subject, outcome, changed, seconds, result, left }: Cell, mode: Try['mode']): Try {
  const expected = expectedOf(subject, mode).outcome;
  const isLanded = changed === (expected === 'done' ? 'as asked' : 'nothing');
  const ok = outcome === expected && isLanded && left.length === 0;
  const what =
    outcome === expected && !isLanded
      ? `the files are not as they should be: ${JSON.stringify(changed)}`
      : result.message;
  const message = left.length > 0 ? `${left.length} of its processes were left running` : what;
  return { mode, outcome, expected, ok, seconds, message };
}

function asJson(rows: readonly Row[], isSound: boolean) {
  return {
    schema: 'orch.agents/1',
    ok: isSound,
    tools: rows.map(({ name, file, version, why, hint, tries }) => ({
      tool: name,
      file,
      version,
      found: why === null,
      why,
      hint,
      tries,
    })),
  };
}

const COLUMNS: readonly Column[] = [
  { title: 'TOOL', least: 15, drop: 0 },
  { title: 'VERSION', least: 9, drop: 2 },
  { title: 'EDIT', least: 12, drop: 0 },
  { title: 'REFUSED KEY', least: 12, drop: 0 },
  { title: '', least: 6, drop: 1 },
];

function textOf(rows: readonly Row[], isSound: boolean, { color, quiet }: AgentsArgs): string {
  const screen = screenOf(color);
  const paint = painter(screen);
  const cellOf = ({ outcome, ok, seconds }: Try): TableCell => ({
    text: `${outcome}, ${seconds.toFixed(1)} s`,
    ...(ok ? {} : { paint: paint('red') }),
  });
  const shown = rows.filter(({ tries }) => tries.length > 0);
  const lines = shown.map(({ name, version, tries }): TableCell[] => [
    { text: name },
    { text: version ?? (name.startsWith('llm') ? 'built in' : '?') },
    ...tries.map(cellOf),
    tries.every(({ ok }) => ok)
      ? { text: 'ok', paint: paint('green') }
      : { text: 'wrong', paint: paint('red') },
  ]);
  const wrong = shown.flatMap(({ name, tries }) =>
    tries.flatMap(({ mode, ok, expected, outcome, message }) =>
      ok ? [] : [`${name}, ${mode}: expected ${expected}, came to ${outcome}: ${message}`],
    ),
  );
  const absent = rows.flatMap(({ name, why }) => (why === null ? [] : [`${name}: ${why}`]));
  return [
    ...tableLines(COLUMNS, lines, screen.width, paint('dim')),
    '',
    ...wrong,
    ...(quiet ? [] : absent),
    ...(wrong.length + (quiet ? 0 : absent.length) > 0 ? [''] : []),
    isSound
      ? 'Each tool that was found makes its edit, and tells a refused key from success. No model was asked.'
      : 'A tool does not do here what orch expects of it. Is it a newer version? `orch logs` of a run shows what it says.',
    '',
  ].join('\n');
}
