import { classifyAcceptance } from './acceptance.ts';
import { faultAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, quote } from './fault.ts';
import { judgeKey } from './fields.ts';
import { readShape } from './issues.ts';
import { judgeWorkstreamKeys, type KeyFindings } from './keys.ts';
import { copyFault } from './paths.ts';
import { member, type Path, type Raw, type RawMap } from './raw.ts';
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
  const all = [...keys.faults, ...faults, ...workFaults(entry)];
  if (written === null) return { entry, written, faults: all, warnings: [] };
  all.push(...stepFaults(document, path, written), ...scopeFaults(entry, written));
  all.push(...(await copyFaults(entry, written, root)));
  const warnings = [...priorityWarnings(entry, written), ...proseWarnings(entry, extraPrograms)];
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

/** A scope of nothing would take out all that the tasks do. */
function scopeFaults(
  { document, path }: Entry,
  { scope, files_scope, files_create }: WrittenWorkstream,
): Fault[] {
  if (typeof scope !== 'string' || scope === 'off') return [];
  if ((files_scope ?? []).length + (files_create ?? []).length > 0) return [];
  const message = `"scope" is ${quote(scope)}, but neither "files_scope" nor "files_create" names a file`;
  const hint = 'Name what may change in "files_scope", or say "scope": "off".';
  return [faultAt(document, [...path, 'scope'], 'bad_scope', message, hint)];
}

async function copyFaults(
  { document, path }: Entry,
  written: WrittenWorkstream,
  root: string,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const [index, name] of (written.copy ?? []).entries()) {
    const rule = await copyFault(root, name);
    if (rule !== null) {
      faults.push(
        faultAt(document, [...path, 'copy', index], 'bad_path', `"copy[${index}]" ${quote(name)} ${rule}`),
      );
    }
  }
  return faults;
}

function priorityWarnings({ document, path }: Entry, written: WrittenWorkstream): Fault[] {
  const priority = written.metadata?.['priority'];
  if (priority === undefined || written.priority !== undefined || priorityOf(priority) !== null) return [];
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

function textsIn(raw: Raw | undefined): [number, string][] {
  if (raw?.kind !== 'list') return [];
  return raw.items.flatMap((item, index): [number, string][] => {
    return item.kind === 'scalar' && typeof item.value === 'string' ? [[index, item.value]] : [];
  });
}
