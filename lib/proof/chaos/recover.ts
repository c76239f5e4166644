import { existsSync } from 'node:fs';
import { holdPath, planPath } from '../../protocol/layout.ts';
import { endsWithin, outputOf, startCommand } from './command.ts';
import { endOurs, hit, listOurs } from './processes.ts';
import { killOne } from './signals.ts';
import { type Command, type Stage, thaw } from './stage.ts';

/** How the violence ends: everything dies at once, the commands alone do, or what still runs goes on. */
export const ENDINGS = ['all die', 'commands die', 'nobody dies'] as const;
export type Ending = (typeof ENDINGS)[number];

/** Beside a busy machine. What is not over by then is a fault, or hangs. */
const COMMAND_BOUND_MS = 180_000;
const REATTACH_BOUND_MS = 480_000;

/** Ends the violence: what is frozen goes on, what was done to the machine is undone. */
async function calm(stage: Stage, ending: Ending): Promise<void> {
  while (stage.pending.size > 0) await Promise.all(stage.pending);
  for (const undo of stage.undo.splice(0).reverse()) await undo();
  for (const target of await listOurs(stage.mark)) {
    const isCommand = target.role === 'command' || target.role === 'launcher';
    // A watcher that is left would be a second one beside the recovery.
    const isWatcher = ['reattach', 'wait', 'status'].includes(target.verb);
    const dies = ending === 'all die' || (ending === 'commands die' ? isCommand : isWatcher);
    if (dies) await killOne(stage, target);
  }
  for (const pid of [...stage.frozen.keys()]) await thaw(stage, pid);
  for (const command of stage.commands) {
    if (command.args[0] === 'run' || (await endsWithin(command, COMMAND_BOUND_MS))) continue;
    stage.seen.push({ guarantee: null, what: `orch ${command.args.join(' ')} (${command.pid}) did not end` });
    for (const one of await listOurs(stage.mark)) if (one.pid === command.pid) await hit(one, 'SIGKILL');
  }
}

/** Whether there is anything to recover; a launcher may have died before it wrote down a plan. */
function isLaunched(stage: Stage): boolean {
  return existsSync(planPath(stage.shop.root));
}

/** One command of the recovery: it must end in time, with one of these exit codes. */
async function expectCommand(
  stage: Stage,
  args: readonly string[],
  codes: readonly number[],
  boundMs = COMMAND_BOUND_MS,
): Promise<Command> {
  const command = startCommand(stage, args);
  if (!(await endsWithin(command, boundMs))) {
    stage.seen.push({ guarantee: 2, what: `orch ${args.join(' ')} was not over after ${boundMs / 1_000} s` });
    for (const one of await listOurs(stage.mark)) if (one.pid === command.pid) await hit(one, 'SIGKILL');
    await command.finished;
  } else if (command.ended?.code === null || !codes.includes(command.ended?.code ?? -1)) {
    const { err } = outputOf(command);
    const how = command.ended?.code ?? command.ended?.signal;
    stage.seen.push({
      guarantee: null,
      what: `orch ${args.join(' ')} ended with ${how}: ${err.trim().slice(-300)}`,
    });
  }
  return command;
}

/** Exactly one `orch reattach`, then `orch reap`. */
export async function recover(stage: Stage, ending: Ending): Promise<void> {
  await calm(stage, ending);
  // A hold is a person's word, and a person's word takes it back.
  const first = !isLaunched(stage) || existsSync(holdPath(stage.shop.root));
  if (first) await expectCommand(stage, ['launch'], [0, 1, 4]);
  await expectCommand(stage, ['reattach'], [0, 1], REATTACH_BOUND_MS);
  await expectCommand(stage, ['reap', '--json'], [0]);
}

/** After a person's `retry` nothing may be left that is not completed; only where no task fails for good. */
export async function finish(stage: Stage): Promise<void> {
  await expectCommand(stage, ['retry', '--failed'], [0, 3]);
  // A stranger's nonsense that nobody planned is nobody's to finish.
  const isAlone = stage.excuses.every(({ workstream }) => stage.ids.includes(workstream));
  await expectCommand(stage, ['reattach'], isAlone ? [0] : [0, 1], REATTACH_BOUND_MS);
  await expectCommand(stage, ['reap', '--json'], [0]);
}

/** Ends every process of the round. */
export async function endAll(stage: Stage): Promise<void> {
  await endOurs(stage.mark);
  for (const { pid, startTime } of stage.bystanders) {
    await hit({ pid, startTime, role: 'tool', verb: '', stopped: false }, 'SIGKILL');
  }
}
