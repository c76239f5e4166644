import { errnoOf, OrchError } from '../errors.ts';
import { isId } from '../protocol/ids.ts';
import { BUILT_IN_TOOLS } from '../protocol/tools.ts';
import { commandWord } from './operands.ts';
import { isVerb, VERBS } from './program.ts';
import { type Recorded, recordVerb, type Spec } from './recorded.ts';

/** Completion of the command line: what may stand where the cursor is. */

type Candidate = { word: string; note: string };

/** Names of positionals and options whose values are ids of workstreams. */
const ID_NAMES = new Set(['id', 'only', 'skip', 'workstream']);

/** The states in which the id of a verb can be meant; of other verbs any. */
const STATES_OF: Readonly<Record<string, readonly string[]>> = {
  stop: ['pending', 'starting', 'running', 'blocked', 'crashed'],
  retry: ['failed', 'timed_out', 'stopped', 'crashed', 'blocked', 'conflict'],
};

/**
 * Prints what may stand in place of the last of `words`, one a line, in the form that `shell` takes. What cannot be
 * found out is left out: nobody wants a message in the middle of a command line.
 */
export async function complete([shell = 'bash', ...words]: readonly string[]): Promise<number> {
  const current = words.at(-1) ?? '';
  const candidates = await candidatesFor(words.slice(0, -1), current);
  const fitting = candidates.filter(({ word }) => word.startsWith(current));
  for (const candidate of fitting) process.stdout.write(`${lineFor(shell, candidate)}\n`);
  return 0;
}

function lineFor(shell: string, { word, note }: Candidate): string {
  if (shell === 'fish') return note === '' ? word : `${word}\t${note}`;
  if (shell !== 'zsh') return word;
  const name = word.replaceAll(':', '\\:');
  return note === '' ? name : `${name}:${note}`;
}

async function candidatesFor(before: readonly string[], current: string): Promise<Candidate[]> {
  // Where bash cuts a word at "=", that is a word of its own.
  const words = before.filter((word) => word !== '=');
  const name = commandWord(words, isVerb);
  const verb = name === undefined || !isVerb(name) ? null : ((await VERBS[name]?.())?.verb ?? null);
  const recorded = recordVerb(verb);
  const open = openOption(before, recorded);
  if (open !== null) {
    const values = await valuesOf(open.name, open.spec, { before, current, verb: name });
    // A list goes on until the next option.
    if (values.length > 0 || !isList(open.spec)) return values;
  }
  if (current.startsWith('-')) return optionNames(recorded, before);
  if (verb === null) return verbNames();
  const [positional] = recorded.positionals;
  return positional === undefined
    ? []
    : valuesOf(positional[0], positional[1], { before, current, verb: name });
}

const isList = (spec: Spec): boolean => spec.array === true || spec.type === 'array';

/** The option whose value the cursor is at, or null. */
function openOption(before: readonly string[], { options }: Recorded): { name: string; spec: Spec } | null {
  const at = before.findLastIndex((word) => word.startsWith('-'));
  const last = before[at];
  if (last === undefined || last.includes('=')) return null;
  for (const [name, spec] of options) {
    if (last !== `--${name}` && last !== `-${spec.alias}`) continue;
    const takesValue = spec.type !== 'boolean' && (at === before.length - 1 || isList(spec));
    return takesValue ? { name, spec } : null;
  }
  return null;
}

type Line = { before: readonly string[]; current: string; verb: string | undefined };

async function valuesOf(name: string, spec: Spec, line: Line): Promise<Candidate[]> {
  if (name === 'columns') return columnLists(line.current);
  const values = await anyValuesOf(name, spec, line);
  return values.filter(({ word }) => !line.before.includes(word));
}

async function anyValuesOf(name: string, spec: Spec, { before, verb = '' }: Line): Promise<Candidate[]> {
  if (name === 'tool') return toolNames(before);
  if (!ID_NAMES.has(name)) return (spec.choices ?? []).map((word) => ({ word, note: '' }));
  const ids = await idsAround(before);
  // Whoever starts over may mean what is completed, too.
  const states = before.includes('--fresh') ? undefined : STATES_OF[verb];
  return states === undefined ? ids : ids.filter(({ note }) => states.includes(note));
}

/** A list goes on behind its last comma. */
async function columnLists(current: string): Promise<Candidate[]> {
  const { COLUMN_NAMES } = await import('./status-columns.ts');
  const start = current.slice(0, current.lastIndexOf(',') + 1);
  const given = start.split(',');
  return COLUMN_NAMES.filter((name) => !given.includes(name)).map((name) => ({
    word: start + name,
    note: '',
  }));
}

/** Where no plan can be read, the tools that every orch knows. */
async function toolNames(before: readonly string[]): Promise<Candidate[]> {
  const { readPlan } = await import('../store/plans.ts');
  const configured = await atRoot(before, (root) => Object.keys(readPlan(root)?.options.tools ?? {}));
  return [...new Set([...BUILT_IN_TOOLS, ...(configured ?? [])])].map((word) => ({ word, note: '' }));
}

function optionNames({ options }: Recorded, before: readonly string[]): Candidate[] {
  const names = [...options].map(([name, spec]) => {
    const isOn = spec.type === 'boolean' && spec.default === true;
    return { word: isOn ? `--no-${name}` : `--${name}`, note: spec.describe ?? '' };
  });
  const help = { word: '--help', note: 'Show help' };
  return [...names, help].filter(({ word }) => !before.includes(word));
}

async function verbNames(): Promise<Candidate[]> {
  return Promise.all(
    Object.keys(VERBS).map(async (word) => ({ word, note: (await VERBS[word]?.())?.verb.describe ?? '' })),
  );
}

/** The workstreams of the repository that the line means, each with its state. */
async function idsAround(before: readonly string[]): Promise<Candidate[]> {
  const { knownIds } = await import('../orchestrate/poll.ts');
  const { readRecord } = await import('../store/records.ts');
  const found = await atRoot(before, (root) =>
    knownIds(root)
      .filter(isId)
      .map((word) => {
        const read = readRecord(root, word);
        return { word, note: read.kind === 'record' ? read.record.status : '' };
      }),
  );
  return found ?? [];
}

/** What is found at the repository that the line means; null where that cannot be looked at. */
async function atRoot<T>(before: readonly string[], look: (root: string) => T): Promise<T | null> {
  const { findRoot } = await import('./root.ts');
  try {
    return look(await findRoot(rootIn(before)));
  } catch (error) {
    if (error instanceof OrchError || errnoOf(error) !== null) return null;
    throw error;
  }
}

function rootIn(before: readonly string[]): string | undefined {
  const joined = before.find((word) => word.startsWith('--root='));
  if (joined !== undefined) return joined.slice('--root='.length);
  const at = before.indexOf('--root');
  // As above, "=" may be a word of its own.
  return at === -1 ? undefined : before[before[at + 1] === '=' ? at + 2 : at + 1];
}
