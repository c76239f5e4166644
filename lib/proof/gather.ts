import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { hasObject } from '../git/repository.ts';
import { eventsPath, historyPath, pidsDir, recordPath, statusDir, worktreesDir } from '../protocol/layout.ts';
import { parseRecord } from '../protocol/parse.ts';
import { partsBeside } from '../store/log-parts.ts';
import { tryReadOwnFile } from '../store/open.ts';
import { namesIn, snapshot } from './checkout.ts';
import type {
  AskedWorkstream,
  Bystander,
  Checkout,
  EventFact,
  Evidence,
  HistoryFact,
  RecordFact,
} from './evidence.ts';
import { gitFacts, NONCE } from './git-facts.ts';
import { parseLedger } from './ledger.ts';
import { isHeldByLiving, lookAgain, remainingOf } from './processes.ts';
import type { Sightings } from './watch.ts';

export type GatherRequest = {
  root: string;
  aside: string;
  asked: readonly AskedWorkstream[];
  /** `snapshot` of the time before orch was first run here. */
  before: Checkout;
  restartLimit: number;
  recovered: boolean;
  reaped: boolean;
  bystanders?: readonly Bystander[];
  /** What `watch` saw. */
  seen?: Sightings;
};

/**
 * Collects all that is known after a run. Reads only; nothing is repaired, passed over or guessed.
 * @throws OrchError GIT_FAILED, IO where the repository or the process table cannot be read at all.
 */
export async function gather(request: GatherRequest): Promise<Evidence> {
  const { root, aside, asked, before, bystanders = [], seen } = request;
  const ids = asked.map(({ id }) => id);
  const ledger = parseLedger(textOf(join(aside, 'ledger')));
  const { events, torn } = readEvents(root);
  const { stateFiles, heldLocks } = await lookAtFiles(root);
  const git = await gitFacts(root, ids);
  const { restartLimit, recovered, reaped } = request;
  return {
    root,
    workstreams: [...asked],
    restartLimit,
    recovered,
    reaped,
    records: await Promise.all(ids.map((id) => readRecordFact(root, id))),
    events,
    tornEvents: torn,
    history: ids.flatMap((id) => readHistory(root, id)),
    git: { ...git, worktreeNonces: noncesBelow(worktreesDir(root)) },
    before,
    after: await snapshot(root),
    ledger,
    hooksRun: linesOf(textOf(join(aside, 'hooks'))),
    bystanders: await lookAgain(bystanders),
    remaining: await remainingOf(root, ledger, bystanders),
    stateFiles,
    heldLocks,
    tornReads: seen?.tornReads ?? [],
    together: seen?.together ?? [],
  };
}

/** Empty where there is no such file. */
const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

async function readRecordFact(root: string, id: string): Promise<RecordFact> {
  const file = tryReadOwnFile(recordPath(root, id));
  const nothing = { workstream: id, text: null, bytes: 0, parsed: null, headExists: null };
  if (file === null) return { ...nothing, fault: null };
  if ('why' in file) return { ...nothing, fault: file.why };
  const parsed = parseRecord(file.text);
  const head = parsed.kind === 'record' ? parsed.record.head : null;
  return {
    workstream: id,
    text: file.text,
    fault: null,
    bytes: Buffer.byteLength(file.text),
    parsed,
    headExists: head === null ? null : await hasObject(root, head),
  };
}

function readEvents(root: string): { events: EventFact[]; torn: string[] } {
  const events: EventFact[] = [];
  const torn: string[] = [];
  const files = [...partsBeside(eventsPath(root)).parts.map(({ path }) => path), eventsPath(root)];
  for (const line of files.flatMap((path) => linesOf(textOf(path)))) {
    const value = objectIn(line);
    if (value === null) torn.push(line);
    else events.push(value as EventFact);
  }
  return { events, torn };
}

/** A line that power loss or a full disk cut is passed over, as all readers of this file do. */
function readHistory(root: string, id: string): HistoryFact[] {
  return linesOf(textOf(historyPath(root, id))).flatMap((line) => {
    const value = objectIn(line);
    return value === null ? [] : [{ ...value, workstream: id } as HistoryFact];
  });
}

function objectIn(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function filesIn(root: string, folder: string): string[] {
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    const inner = isFolder ? namesIn(path).map((one) => join(path, one)) : [];
    return [path, ...inner].map((one) => relative(root, one));
  });
}

/** An orchestrator that has resigned may still let its lock go: what is gone after the look is not left. */
async function lookAtFiles(root: string): Promise<Pick<Evidence, 'stateFiles' | 'heldLocks'>> {
  const listed = [statusDir(root), pidsDir(root)].flatMap((folder) => filesIn(root, folder));
  const heldLocks: string[] = [];
  for (const path of listed.filter((one) => /\.lock(?:\.[0-9a-f]{32})?$/.test(one))) {
    if (await isHeldByLiving(join(root, path))) heldLocks.push(path);
  }
  const isThere = (path: string): boolean =>
    lstatSync(join(root, path), { throwIfNoEntry: false }) !== undefined;
  return { stateFiles: listed.filter(isThere), heldLocks };
}

function noncesBelow(folder: string): Set<string> {
  const found = new Set<string>();
  if (!existsSync(folder)) return found;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'latin1');
    for (const [nonce] of text.matchAll(NONCE)) found.add(nonce);
  }
  return found;
}
