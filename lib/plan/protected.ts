import type { Check, PlannedWorkstream } from '../protocol/plan.ts';
import { scopeMatcher, selfAndAbove } from '../protocol/scope.ts';
import { type GateKind, gateKindOf, isCheckScript, isFolderOfChecks } from './gate-files.ts';
import { looksOf } from './gate-words.ts';
import { pathWords } from './path-words.ts';

type Judged = Pick<PlannedWorkstream, 'checks' | 'tasks' | 'files_scope' | 'files_create'>;

/**
 * Tells of a path what it is to the acceptance tests of a workstream: null where they do not hang on it, or where the
 * plan has put it in scope. An agent's edit of any other does not decide. Pure; what the file holds does not matter.
 *
 * Protected are conventional tests, where a command may run them; configuration of test runners and linters, where one
 * may read it; scripts that a command runs and that look like checks; what an option names as configuration. Not: what
 * a command merely reads (`grep -q x src/a.ts`, `node src/main.js`), since that is the work that is judged.
 */
export function protectedBy(workstream: Judged): (path: string) => GateKind | null {
  const commands = workstream.checks.flatMap(({ checks }) => checks.filter(isCommand));
  const looks = commands.map(({ run }) => looksOf(run));
  const runsTests = looks.some(({ tests }) => tests);
  const readsConfig = looks.some(({ config }) => config);
  const named = new Set(looks.flatMap((one) => one.named));
  const configs = new Set(looks.flatMap((one) => one.configs));
  const isInScope = scopeMatcher([...workstream.files_scope, ...workstream.files_create]);
  const isTask = namedByTasks(workstream);

  const kindOf = (path: string): GateKind | null => {
    const kind = gateKindOf(path);
    if (configs.has(path)) return kind ?? 'config';
    if (named.has(path) && isCheckScript(path)) return kind ?? 'test';
    const above = selfAndAbove(path).slice(1);
    if (above.some((folder) => named.has(folder) && isFolderOfChecks(folder))) return kind ?? 'test';
    if (kind === 'test') return runsTests ? kind : null;
    return readsConfig ? kind : null;
  };
  return (path) => {
    const kind = kindOf(path);
    return kind === null || isInScope(path) || isTask(path) ? null : kind;
  };
}

const isCommand = (check: Check): check is Extract<Check, { kind: 'command' }> => check.kind === 'command';

const SENTENCE_END = /(?<=[.;!?])\s+|\n+/;
/** Of such a sentence a file is the measure, not the work: "until tests/a.py passes", "do not touch tests/a.py". */
const ABOUT_OUTCOME =
  /\b(?:pass(?:es|ed|ing)?|green|succeed(?:s|ed|ing)?|fail(?:s|ed|ing|ures?)?|runs?|running|unchanged|untouched|without|never|not)\b|n['’]t\b/i;

/** A task that tells an agent of a file, other than how it is to come out, has put it in scope. */
function namedByTasks({ tasks }: Judged): (path: string) => boolean {
  const named = new Set<string>();
  for (const task of tasks) {
    if (task.kind !== 'prompt') continue;
    for (const sentence of task.prompt.split(SENTENCE_END)) {
      if (!ABOUT_OUTCOME.test(sentence)) for (const word of pathWords(sentence)) named.add(word);
    }
  }
  return (path) => named.has(path);
}
