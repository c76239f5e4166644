import yargs, { type CommandModule } from 'yargs';
import { OrchError } from '../errors.ts';
import { commandWord, splitOperands, withOperands } from './operands.ts';
import { globalOptions } from './options.ts';
import { type KnownOptions, refuseMisused } from './strict-options.ts';
import { goOnUnread } from './unread.ts';
import type { Verb } from './verb.ts';
import { VERSION } from './version.ts';

/** Every verb by its name; a module is loaded once its verb is asked for. */
export const VERBS: Record<string, () => Promise<{ verb: Verb<never> }>> = {
  launch: () => import('./commands/launch.ts') as Promise<{ verb: Verb<never> }>,
  run: () => import('./commands/run.ts') as Promise<{ verb: Verb<never> }>,
  status: () => import('./commands/status.ts') as Promise<{ verb: Verb<never> }>,
  reattach: () => import('./commands/reattach.ts') as Promise<{ verb: Verb<never> }>,
  wait: () => import('./commands/wait.ts') as Promise<{ verb: Verb<never> }>,
  plan: () => import('./commands/plan.ts') as Promise<{ verb: Verb<never> }>,
  logs: () => import('./commands/logs.ts') as Promise<{ verb: Verb<never> }>,
  retry: () => import('./commands/retry.ts') as Promise<{ verb: Verb<never> }>,
  stop: () => import('./commands/stop.ts') as Promise<{ verb: Verb<never> }>,
  reap: () => import('./commands/reap.ts') as Promise<{ verb: Verb<never> }>,
  doctor: () => import('./commands/doctor.ts') as Promise<{ verb: Verb<never> }>,
  worker: () => import('./commands/worker.ts') as Promise<{ verb: Verb<never> }>,
  schema: () => import('./commands/schema.ts') as Promise<{ verb: Verb<never> }>,
  completion: () => import('./commands/completion.ts') as Promise<{ verb: Verb<never> }>,
  demo: () => import('./commands/demo.ts') as Promise<{ verb: Verb<never> }>,
};

/** True for the name of a verb. */
export const isVerb = (word: string): boolean => Object.hasOwn(VERBS, word);

/** Parses the command line and runs its verb. Only the verb that is asked for is loaded. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const word = commandWord(argv, isVerb);
  const named = word !== undefined && isVerb(word) ? word : undefined;
  const hint = `Try \`orch ${named === undefined ? '' : `${named} `}--help\`.`;
  const loaders = named === undefined ? Object.values(VERBS) : [VERBS[named]];
  const verbs = (await Promise.all(loaders.map((load) => load?.()))).flatMap((one) => one?.verb ?? []);
  const asked = named === undefined ? undefined : verbs[0];
  const split = splitOperands(argv, asked?.command ?? null, hint);
  const words = asked?.rewrite?.(split.words) ?? split.words;
  let code = 0;
  let program = globalOptions(yargs([...argv]).scriptName('orch'));
  for (const { command, describe, builder, handle, isShow } of verbs) {
    const handler = async (args: never): Promise<void> => {
      if (isShow !== true) goOnUnread();
      code = await handle(withOperands(args, command, split.operands));
    };
    program = program.command({
      command,
      describe,
      builder,
      handler,
    } as unknown as CommandModule) as typeof program;
  }
  await program
    .usage(
      '$0 <command>\n\nRuns a long refactor as independent workstreams that survive crashes and SSH drops.',
    )
    .epilogue(
      '`orch <command> --help` shows the options and examples of each command. ' +
        '`orch --mode orchestrator` is `orch run`, `orch --mode worker` is `orch worker`.',
    )
    .version(VERSION)
    .alias('h', 'help')
    .middleware(() => {
      // Before its own checks, which see what it made of the words. Its types leave out what it exports here.
      const known = (program as unknown as { getOptions(): KnownOptions }).getOptions();
      refuseMisused(argv, known, hint);
    }, true)
    .strict()
    .demandCommand(1, NO_COMMAND)
    .recommendCommands()
    .wrap(process.stdout.isTTY ? Math.min(process.stdout.columns, 100) : 100)
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      // What yargs refuses while it parses comes as an error of its own.
      if (error !== undefined && error.name !== 'YError') throw error;
      throw new OrchError('USAGE', usageFault(argv, word, asked, message ?? error?.message ?? 'bad usage'), {
        hint,
      });
    })
    .parseAsync([...words]);
  return code;
}

const NO_COMMAND = 'Which command?';

/** What yargs says, in words that tell what was meant. */
function usageFault(
  argv: readonly string[],
  word: string | undefined,
  asked: Verb<never> | undefined,
  message: string,
): string {
  if (message.startsWith('Did you mean')) {
    return `there is no such command: ${word ?? ''}. ${message}`;
  }
  if (message === NO_COMMAND && asked !== undefined) {
    const option = argv.slice(0, argv.indexOf(word ?? '')).findLast((one) => one.startsWith('-'));
    return `${option ?? 'an option'} before ${word} is not read: the options of a command stand behind it`;
  }
  const [, names] = /^Unknown arguments?: (.+)$/.exec(message) ?? [];
  if (names !== undefined) return `there is no such option or argument here: ${asWritten(argv, names)}`;
  if (message.startsWith('Not enough non-option arguments')) {
    const [, wanted = 'argument'] = /<(\w+)>/.exec(asked?.command ?? '') ?? [];
    return `which ${wanted}?`;
  }
  return message.replaceAll('\n', ' ');
}

/** yargs names an option in both of its spellings, and without its dashes. */
function asWritten(argv: readonly string[], names: string): string {
  const bare = (word: string): string => word.replace(/^-+/, '').replace(/=.*$/s, '');
  const unknown = names.split(', ');
  const words = argv.map((word) => word.replace(/=.*$/s, '')).filter((word) => unknown.includes(bare(word)));
  return words.length === 0 ? names : [...new Set(words)].join(', ');
}
