import type { Argv } from 'yargs';
import { type GlobalOptions, globalOptions } from './options.ts';
import type { Verb } from './verb.ts';

/** What a verb takes, as its builder says it to yargs. */
export type Spec = {
  type?: string;
  array?: boolean;
  alias?: string;
  default?: unknown;
  defaultDescription?: string;
  demandOption?: boolean;
  describe?: string;
  choices?: readonly string[];
};
export type Recorded = {
  options: Map<string, Spec>;
  positionals: Map<string, Spec>;
  /** Command line, with `$0` for the program, and what it is good for. */
  examples: [command: string, what: string][];
};

/** The options and positionals of a verb, the options of every verb among them; of none, those alone. */
export function recordVerb(verb: Verb<never> | null): Recorded {
  const recorded: Recorded = { options: new Map(), positionals: new Map(), examples: [] };
  const listener = new Proxy({} as Argv<GlobalOptions>, {
    get:
      (_, method) =>
      (name: string, spec: Spec & string): Argv<GlobalOptions> => {
        if (method === 'option') recorded.options.set(name, spec);
        if (method === 'positional') recorded.positionals.set(name, spec);
        if (method === 'example') recorded.examples.push([name, spec]);
        return listener;
      },
  });
  globalOptions(listener);
  if (verb !== null && typeof verb.builder === 'function') void verb.builder(listener);
  return recorded;
}
