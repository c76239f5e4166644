import { SCRIPTS, type Shell } from '../completion-scripts.ts';
import type { Verb } from '../verb.ts';

type Args = { shell: Shell };

/** `orch completion`: a script for the shell. Not that of yargs, which knows no ids and does without bash 3.2. */
export const verb: Verb<Args> = {
  command: 'completion <shell>',
  describe: 'Print the completion script of a shell',
  isShow: true,
  builder: (yargs) =>
    yargs
      .positional('shell', {
        type: 'string',
        choices: Object.keys(SCRIPTS),
        demandOption: true,
        describe: 'bash, zsh or fish',
      })
      .example('source <($0 completion bash)', 'for this bash alone')
      .example(
        '$0 completion fish > ~/.config/fish/completions/orch.fish',
        'for every fish from now on',
      ) as never,
  handle: async ({ shell }) => {
    process.stdout.write(SCRIPTS[shell]);
    return 0;
  },
};
