import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OrchError } from '../../errors.ts';
import type { Command, Stage } from './stage.ts';

/** The environment of a person's shell: nothing of orch, of git or of a test runner. */
export function personEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).flatMap(([name, value]) => {
    const isOurs = /^(ORCH_|GIT_|VITEST|NODE_OPTIONS|npm_)/.test(name);
    return value === undefined || isOurs ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), NO_COLOR: '1' };
}

/**
 * Starts `orch` in a session of its own; its output goes to files, which no death cuts off.
 * @throws OrchError INTERRUPTED once the round was cut off, SPAWN_FAILED.
 */
export function startCommand(
  stage: Stage,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Command {
  if (stage.signal?.aborted === true) throw new OrchError('INTERRUPTED', 'the round was cut off');
  const name = `${String(stage.commands.length).padStart(3, '0')}-${args[0] ?? ''}`;
  const [outPath, errPath] = [join(stage.logs, `${name}.out`), join(stage.logs, `${name}.err`)];
  const fds = [outPath, errPath].map((path) => openSync(path, 'a', 0o600)) as [number, number];
  try {
    const child = spawn(process.execPath, [stage.orch, ...args, '--root', stage.shop.root], {
      cwd: stage.shop.root,
      env: { ...stage.env, ...env },
      detached: true,
      stdio: ['ignore', ...fds],
    });
    const { pid } = child;
    if (pid === undefined) throw new OrchError('SPAWN_FAILED', `orch ${args.join(' ')} was not started`);
    const finished = new Promise<NonNullable<Command['ended']>>((resolve) => {
      child.once('exit', (code, signal) => {
        command.ended = { code, signal };
        stage.note(`${name} (${pid}) ended: ${code ?? signal}`);
        resolve(command.ended);
      });
    });
    const command: Command = { pid, args, outPath, errPath, ended: null, finished };
    stage.commands.push(command);
    stage.note(
      `${name} (${pid}): orch ${args.join(' ')}${Object.keys(env).length > 0 ? ` with ${JSON.stringify(env)}` : ''}`,
    );
    return command;
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Whether it ends within `boundMs`. */
export async function endsWithin(command: Command, boundMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), boundMs);
  });
  try {
    return await Promise.race([command.finished.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

export function outputOf({ outPath, errPath }: Command): { out: string; err: string } {
  return { out: readFileSync(outPath, 'utf8'), err: readFileSync(errPath, 'utf8') };
}
