/** The message of a checkpoint commit, written and read. What it says counts only where the chain leads. */

const SUBJECT_LENGTH = 72;
const BODY_LENGTH = 4_000;

export type CheckpointTrailers = {
  workstream: string;
  run: string;
  attempt: number;
  /** The task's digest. */
  task: string;
  /** `3/10` */
  index: string;
  /** The checkpoint before, or null for the first. */
  previous: string | null;
  base: string;
  /** The tool whose work it is; absent in checkpoints of `{run: …}` tasks. */
  tool?: string;
  /** From 1: it mends the work of its task, whose checkpoint stands before it. Absent in the first of a task. */
  repair?: number;
};

/** The message; a subject that has to be cut is repeated in full as the body. */
export function checkpointMessage(subject: string, trailers: CheckpointTrailers): string {
  const text = printable(subject).trim();
  const line = (text.split('\n')[0] ?? '').trim() || `Task ${trailers.index}`;
  const short = cut(line, SUBJECT_LENGTH);
  const body = short === text || text === '' ? [] : [cut(text, BODY_LENGTH)];
  const lines = [
    ['Orch-Workstream', trailers.workstream],
    ['Orch-Run', trailers.run],
    ['Orch-Attempt', String(trailers.attempt)],
    ['Orch-Task', trailers.task],
    ['Orch-Task-Index', trailers.index],
    ['Orch-Previous', trailers.previous ?? 'none'],
    ['Orch-Base', trailers.base],
    ...(trailers.tool === undefined ? [] : [['Orch-Tool', trailers.tool]]),
    ...(trailers.repair === undefined ? [] : [['Orch-Repair', String(trailers.repair)]]),
  ].map(([name, value]) => `${name}: ${printable(value ?? '').replaceAll(/\s+/g, ' ')}`);
  return `${[short, ...body, lines.join('\n')].join('\n\n')}\n`;
}

/** The trailers in the last paragraph of a message, or null if it is not a checkpoint's. */
export function readTrailers(message: string): CheckpointTrailers | null {
  const last = message.trimEnd().split('\n\n').at(-1) ?? '';
  const fields = new Map<string, string>();
  for (const line of last.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const [workstream, task] = [fields.get('Orch-Workstream'), fields.get('Orch-Task')];
  const [previous, base] = [fields.get('Orch-Previous'), fields.get('Orch-Base')];
  if (workstream === undefined || task === undefined || previous === undefined || base === undefined)
    return null;
  const tool = fields.get('Orch-Tool');
  const repair = Number(fields.get('Orch-Repair'));
  return {
    workstream,
    run: fields.get('Orch-Run') ?? '',
    attempt: Number(fields.get('Orch-Attempt')),
    task,
    index: fields.get('Orch-Task-Index') ?? '',
    previous: previous === 'none' ? null : previous,
    base,
    ...(tool === undefined ? {} : { tool }),
    ...(Number.isSafeInteger(repair) && repair > 0 ? { repair } : {}),
  };
}

function printable(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replaceAll(/[\x00-\x08\x0b-\x1f\x7f]/g, ' ');
}

function cut(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
