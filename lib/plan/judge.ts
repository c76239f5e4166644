import { classifyAcceptance } from './acceptance.ts';
import { faultAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, quote } from './fault.ts';
import { judgeKey } from './fields.ts';
import { readShape } from './issues.ts';
import { judgeWorkstreamKeys, type KeyFindings } from './keys.ts';
import { copyFault, pathFault } from './paths.ts';
import { member, type Path, plain, type Raw, type RawMap, textOf, textsIn } from './raw.ts';
import { priorityOf, type WrittenWorkstream } from './schema.ts';
import { stepFaults } from './steps.ts';

export type Judged = { entry: Entry; written: WrittenWorkstream | null; faults: Fault[]; warnings: Fault[] };

/** Everything that can be said of one workstream by itself; `written` is null where its shape is wrong. */
export async function judge(
  entry: Entry,
  unknown: KeyFindings['unknown'],
  { root, extraPrograms }: { root: string; extraPrograms: readonly string[] },
): Promise<Judged> {
  const { document, path, map } = entry;
  const keys: KeyFindings = { faults: [], unknown };
  judgeWorkstreamKeys(document, path, map, keys);
  const { written, faults } = readShape(document, path, map);
  // From what is written, not from `written`: one wrong field hides no fault of the others.
  const all = [...keys.faults, ...faults, ...workFaults(entry), ...stepFaults(entry), ...scopeFaults(entry)];
  for (const fault of await copyFaults(entry, root)) all.push(fault);
  const warnings = [...priorityWarnings(entry), ...proseWarnings(entry, extraPrograms)];
  return { entry, written, faults: all, warnings };
}

/** A workstream without work; not told again where its work stands under a wrong name. */
function workFaults({ document, path, map }: Entry): Fault[] {
  const hasWork = ['tasks', 'steps'].some((name) => {
    const value = member(map, name);
    return value !== undefined && (value.kind !== 'list' || value.items.length > 0);
  });
  const isMisnamed = map.entries.some(({ key }) => {
    const verdict = judgeKey('workstream', key);
    return verdict.kind === 'misnamed' && (verdict.field === 'tasks' || verdict.field === 'steps');
  });
  if (hasWork || isMisnamed) return [];
  const message = 'the workstream has neither "tasks" nor "steps"';
  return [
    faultAt(document, path, 'no_tasks', message, 'Add "tasks": a list of what is to be done, in order.'),
  ];
}

/** A scope of nothing would take out all that the tasks do. What is no list is a fault of its own. */
function scopeFaults({ document, path, map }: Entry): Fault[] {
  const scope = textOf(member(map, 'scope'));
  if (scope !== 'enforce' && scope !== 'warn') return [];
  const isEmpty = (raw: Raw | undefined): boolean =>
    raw === undefined || (raw.kind === 'list' && raw.items.length === 0);
  if (!isEmpty(member(map, 'files_scope')) || !isEmpty(member(map, 'files_create'))) return [];
  const message = `"scope" is ${quote(scope)}, but neither "files_scope" nor "files_create" names a file`;
  const hint = 'Name what may change in "files_scope", or say "scope": "off".';
  return [faultAt(document, [...path, 'scope'], 'bad_scope', message, hint)];
}

async function copyFaults({ document, path, map }: Entry, root: string): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const [index, name] of textsIn(member(map, 'copy'))) {
    // A path that leads out as it is spelled is told of already, and is not looked at.
    const rule = pathFault(name) === null ? await copyFault(root, name) : null;
    if (rule !== null) {
      faults.push(
        faultAt(document, [...path, 'copy', index], 'bad_path', `"copy[${index}]" ${quote(name)} ${rule}`),
      );
    }
  }
  return faults;
}

function priorityWarnings({ document, path, map }: Entry): Fault[] {
  const metadata = member(map, 'metadata');
  const priority = metadata?.kind === 'map' ? member(metadata, 'priority') : undefined;
  if (priority === undefined || member(map, 'priority') !== undefined) return [];
  if (priorityOf(plain(priority)) !== null) return [];
  const message = '"metadata.priority" is not critical, high, medium, low or a number; taken as medium';
  return [faultAt(document, [...path, 'metadata', 'priority'], 'bad_priority', message)];
}

/** Tells of texts that look like commands and were read as prose. */
function proseWarnings({ document, path, map }: Entry, extraPrograms: readonly string[]): Fault[] {
  const warn = (holder: RawMap, at: Path): Fault[] => {
    return textsIn(member(holder, 'acceptance_tests')).flatMap(([index, text]) => {
      if (!classifyAcceptance(text, extraPrograms).nearMiss) return [];
      const message = `${quote(text)} is read as prose, which nobody runs`;
      const hint = `Write {"run": ${quote(text)}} to have it run, {"prose": ...} to keep it as prose.`;
      return [faultAt(document, [...at, 'acceptance_tests', index], 'read_as_prose', message, hint)];
    });
  };
  const steps = member(map, 'steps');
  const inSteps = (steps?.kind === 'list' ? steps.items : []).flatMap((step, index) => {
    return step.kind === 'map' ? warn(step, [...path, 'steps', index]) : [];
  });
  return [...warn(map, path), ...inSteps];
}
