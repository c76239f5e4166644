import type { Action } from '../../orchestrate/decide.ts';
import { PERMISSIONS, pass, throwFault } from '../../orchestrate/loop.ts';
import { newMemory } from '../../orchestrate/observe.ts';
import type { StatusList } from '../../orchestrate/poll.ts';
import { settleForeign } from '../../orchestrate/settle-foreign.ts';
import type { Permissions } from '../../orchestrate/world.ts';
import type { Reason } from '../../protocol/status.ts';
import { escapeControls, jsonLine } from '../../protocol/text.ts';
import type { Actor } from '../../store/events.ts';
import { makeFolders } from '../../store/folders.ts';
import { planInForce } from '../../store/plans.ts';
import { terminalBell } from '../bell.ts';
import { ensureOrchestrator, isStartedAtWork, untilResigned } from '../ensure-orchestrator.ts';
import { followOnScreen } from '../follow-on-screen.ts';
import { interruptSignal } from '../interrupt.ts';
import { takeRoleSoon } from '../leaving.ts';
import { findState } from '../root.ts';
import { tellEnd } from '../tell-end.ts';
import type { Verb } from '../verb.ts';

type Args = { once: boolean; launch: boolean };

const PASSES_MAX = 10;

/** `orch reattach`: repairs what crashed, goes on with what is left, and watches until it is done. */
export const verb: Verb<Args> = {
  command: 'reattach',
  describe: 'Come back: repair, go on with what is left, watch until it is done',
  builder: (yargs) =>
    yargs
      .option('once', {
        type: 'boolean',
        default: false,
        describe: 'One round in this process: repair and due restarts',
      })
      .option('launch', { type: 'boolean', default: true, describe: 'Start work (--no-launch: repair only)' })
      .example('$0 reattach', 'after an SSH drop; Ctrl+C only stops watching')
      .example('$0 reattach --no-launch', 'settle the crashed, kill orphans, start nothing') as never,
  handle: async (args) => {
    const root = await findState(args.root);
    makeFolders(root);
    if (!args.launch) return repair(root, PERMISSIONS.repair, args);
    if (args.once) return repair(root, PERMISSIONS.once, args);
    const signal = interruptSignal();
    await ensureOrchestrator(root, true);
    const tellFrozen = tellOnce(args.json);
    const ring = terminalBell(planInForce(root));
    const tick = async (list: StatusList): Promise<void> => {
      ring(list);
      for (const fault of list.faults ?? []) if (fault.code === 'frozen') tellFrozen(fault);
      await settleGone(root, list);
      await ensureOrchestrator(root, false);
    };
    const isAtWork = (): Promise<boolean> => isStartedAtWork(root);
    const { json, quiet, color } = args;
    const { end, list } = await followOnScreen(root, { json, quiet, color, signal, tick, isAtWork });
    if (end === 'aborted') {
      if (!args.json) process.stderr.write('orch: stopped watching; the work goes on\n');
      return 130;
    }
    // No tick sees a list in which nothing goes on any more.
    await settleGone(root, list);
    await untilResigned(root, signal);
    ring(list);
    return tellEnd(list, args);
  },
};

/** Tells each fault once on stderr: what is watched here does not go on by itself. */
function tellOnce(json: boolean): (fault: Reason) => void {
  const told = new Set<string>();
  return ({ code, message, hint }) => {
    if (told.has(message)) return;
    told.add(message);
    const text = json ? JSON.stringify({ warning: { code, message, hint } }) : `orch: ${message}\n  ${hint}`;
    process.stderr.write(`${text}\n`);
  };
}

/** Foreign workers keep no orchestrator at work: who watches them writes down their end. */
async function settleGone(root: string, list: StatusList): Promise<void> {
  const actor: Actor = { role: 'reattach', pid: process.pid };
  const gone = list.workstreams.filter(({ final, status, verdict }) => final && status !== verdict);
  for (const { workstream } of gone) await settleForeign(root, workstream, actor);
}

/** Rounds in this process until one changes nothing. */
async function repair(
  root: string,
  permissions: Permissions,
  output: { json: boolean; quiet: boolean },
): Promise<number> {
  const actor: Actor = { role: 'reattach', pid: process.pid };
  const role = await takeRoleSoon(root, actor);
  const memory = newMemory();
  try {
    for (let round = 0; round < PASSES_MAX; round += 1) {
      const { done } = await pass({ root, permissions, mode: 'detached', actor, memory });
      for (const { action, ok, note } of done) tellAction(action, ok, note, output);
      if (done.some(({ ok }) => ok)) continue;
      throwFault(done);
      break;
    }
  } finally {
    await role.release();
  }
  return 0;
}

function tellAction(
  action: Action,
  ok: boolean,
  note: string,
  output: { json: boolean; quiet: boolean },
): void {
  if (output.json) {
    const at = Date.now() / 1000;
    process.stdout.write(jsonLine({ schema: 'orch.event/1', at, event: 'action', ...action, ok, note }));
  } else if (!output.quiet) {
    process.stdout.write(
      `${action.type} ${action.id ?? ''} ${ok ? '' : 'not done '}${escapeControls(note)}\n`,
    );
  }
}
