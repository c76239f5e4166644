import { closeSync, constants, openSync } from 'node:fs';
import module from 'node:module';
import { devNull } from 'node:os';
import { isatty } from 'node:tty';
import { errnoOf } from '../errors.ts';
import { playRole } from '../failpoint.ts';
import { reportFailure } from './failure.ts';
import { withoutMode } from './mode.ts';
import { endUnwritable } from './unread.ts';

/**
 * The way in. Two callers are in a hurry and skip yargs: `orch status`, which people and scripts poll, and the
 * background orchestrator.
 */

// Node 22 and newer keep compiled code between starts.
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();

async function main(words: readonly string[]): Promise<number> {
  const argv = withoutMode(words);
  const [verb, ...rest] = argv;
  playRole(argv.find((word) => !word.startsWith('-')) ?? 'help');
  if (verb === '_orchestrate') {
    const { orchestrateInBackground } = await import('./background.ts');
    return orchestrateInBackground(rest[1] ?? '');
  }
  if (verb === 'status') {
    const { quickStatus } = await import('./quick.ts');
    const code = await quickStatus(rest);
    if (code !== null) return code;
  }
  if (verb === '_complete') {
    const { complete } = await import('./complete.ts');
    return complete(rest);
  }
  const { runProgram } = await import('./program.ts');
  return runProgram(argv);
}

/** Whoever reads JSON gets errors as such: `--json`, whatever is said of it last, or a format that is JSON. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  const last = words.findLast((word) => /^--(?:no-)?json(?:=|$)/.test(word));
  const isOn = last === '--json' || last === '--json=true' || last === '--no-json=false';
  const isJson = (word: string, at: number): boolean =>
    /^--format=(?:nd)?json$/.test(word === '--format' ? `--format=${words[at + 1]}` : word);
  return isOn || words.some(isJson);
}

/**
 * Node gives terminals their settings back after the last listener of 'exit', and ends with a core dump where one is
 * hung up by then, at whatever moment. It leaves alone what is another file now: so the null device takes their place
 * (a number set free would go to the next file that anybody opens). Who changes a setting puts it back before.
 */
function leaveAtExit(terminals: readonly number[]): void {
  process.on('exit', () => {
    for (const descriptor of terminals) {
      keepOpen(descriptor);
      try {
        closeSync(descriptor);
      } catch (error) {
        if (errnoOf(error) !== 'EBADF') throw error;
      }
      // The lowest number that is free: this one, as the lower ones are taken.
      openSync(devNull, 'r+');
    }
  });
}

/** Whoever has the other side hangs a terminal up once nobody has it open, and this process still has to end. */
function keepOpen(terminal: number): void {
  try {
    openSync(`/dev/fd/${terminal}`, constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch (error) {
    // It is gone already.
    if (errnoOf(error) === null) throw error;
  }
}

const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
leaveAtExit(terminals);
const argv = process.argv.slice(2);
endUnwritable(terminals.includes(1));
main(argv).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = reportFailure(error, wantsJson(argv));
  },
);
