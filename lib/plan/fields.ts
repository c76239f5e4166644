/** Every key that plans are known to hold: what is read, what is carried unread, what is a mistake. */

export type Holder = 'file' | 'workstream' | 'step' | 'task' | 'check' | 'breaker';

const WORKSTREAM = [
  'id',
  'title',
  'tasks',
  'steps',
  'files_scope',
  'files_create',
  'acceptance_tests',
  'depends_on',
  'tool',
  'priority',
  'timeout',
  'task_timeout',
  'setup',
  'copy',
  'env',
  'circuit_breaker',
  'limits',
  'sandbox',
  'metadata',
] as const;

const FIELDS: Readonly<Record<Holder, readonly string[]>> = {
  file: ['workstreams'],
  workstream: WORKSTREAM,
  step: ['id', 'description', 'tasks', 'depends_on', 'tool', 'acceptance_tests'],
  task: ['run', 'prompt', 'tool', 'timeout'],
  check: ['run', 'prose'],
  breaker: ['max_attempts', 'max_error_repeats', 'oscillation_threshold'],
};

/** Carried along unread, everywhere: other programs' bookkeeping and notes for people. */
const BOOKKEEPING: ReadonlySet<string> = new Set(
  `$schema author category ccpm_issue code_changes complexity created_at created_date deliverables description doc_id
  downstream_enables duration_days effort_estimate error_handling estimated_duration execution gate impact labels
  notes objective openspec_change owner parallel_with phase problem_statement retry risks source_bundle status
  success_metrics tags updated_at updated_date version workstream_type`.split(/\s+/),
);

/** Carried unread in one place only, though elsewhere they are fields or mistakes. */
const UNREAD_IN: Readonly<Record<Holder, ReadonlySet<string>>> = {
  file: new Set(['id', 'title', 'name', 'metadata']),
  workstream: new Set(),
  step: new Set(['title', 'name', 'step', 'priority', 'metadata']),
  task: new Set(['id', 'title', 'name']),
  check: new Set(['id', 'title', 'name']),
  breaker: new Set(['per_step', 'cooldown_seconds', 'error_patterns', 'escalation_strategy']),
};

/** Keys that would drop work, order or checks if they were passed over, by the field that was meant. */
const LOOKALIKES: Readonly<
  Record<'workstream' | 'task' | 'check' | 'file', Readonly<Record<string, string>>>
> = {
  file: { workstreams: 'workstream ws items plan workstream_list' },
  workstream: {
    id: 'workstream_id ws_id identifier',
    tasks:
      'task task_list subtasks todo todos action actions instructions prompt prompts run command commands',
    steps: 'execution_steps step step_list stages phases workflow_steps implementation_steps',
    depends_on: `dependency dependencies depend depends deps depends_upon needs need requires require after
      runs_after prerequisite prerequisites wait_for waits_for blocked_by upstream parents`,
    acceptance_tests: `acceptance acceptance_test acceptance_criteria acceptance_checks tests test checks check
      verify verification success_criteria ground_truth test_commands`,
    files_scope: `scope file_scope files file paths path files_in_scope files_modify files_modified files_to_modify
      files_edit allowed_files modifies`,
    files_create: 'file_create files_created files_to_create create_files creates new_files',
    tool: 'tools agent agents tool_profile',
    timeout: 'time_limit timeout_seconds timeout_s timeout_ms timeout_minutes max_duration',
    task_timeout: 'timeout_per_task step_timeout timeout_per_step',
    setup: 'setup_command setup_commands before pre_commands',
    copy: 'copies copy_files files_copy',
    env: 'environment environment_variables env_vars variables vars',
    circuit_breaker: 'breaker circuitbreakers',
    priority: 'prio',
  },
  task: { run: 'command cmd shell script exec', prompt: 'task text message instruction action' },
  check: { run: 'command cmd shell script exec test', prose: 'text criterion' },
};

const squeezed = (key: string): string => key.toLowerCase().replace(/[^a-z0-9]/g, '');

function tableOf(
  holder: 'workstream' | 'task' | 'check' | 'file',
  fields: readonly string[],
): Map<string, string> {
  const table = new Map<string, string>();
  for (const [field, names] of Object.entries(LOOKALIKES[holder])) {
    for (const name of names.split(/\s+/)) table.set(squeezed(name), field);
  }
  for (const field of fields) table.set(squeezed(field), field);
  return table;
}

const MEANT: Readonly<Record<Holder, ReadonlyMap<string, string>>> = {
  file: tableOf('file', FIELDS.file),
  workstream: tableOf('workstream', FIELDS.workstream),
  step: tableOf('workstream', FIELDS.workstream),
  task: tableOf('task', FIELDS.task),
  check: tableOf('check', FIELDS.check),
  breaker: new Map(FIELDS.breaker.map((field) => [squeezed(field), field])),
};

export type KeyVerdict =
  | { kind: 'read' | 'unread' | 'unknown' }
  | { kind: 'misnamed'; field: string }
  /** A field, but of the workstream, not of what holds it here. */
  | { kind: 'misplaced' };

/** What the key is to the object that holds it. */
export function judgeKey(holder: Holder, key: string): KeyVerdict {
  if (FIELDS[holder].includes(key)) return { kind: 'read' };
  if (key.startsWith('_') || BOOKKEEPING.has(key) || UNREAD_IN[holder].has(key)) return { kind: 'unread' };
  if (holder === 'step' && MEANT.step.get(squeezed(key)) === key) return { kind: 'misplaced' };
  if (holder === 'file' && MEANT.workstream.get(squeezed(key)) === key) return { kind: 'misplaced' };
  const field = MEANT[holder].get(squeezed(key));
  if (field === undefined) return { kind: 'unknown' };
  return FIELDS[holder].includes(field) ? { kind: 'misnamed', field } : { kind: 'misplaced' };
}
