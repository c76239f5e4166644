import type { CommandModule } from 'yargs';
import type { GlobalOptions } from './options.ts';

/** A verb: how it is called, and what it does. Its exit code is what `handle` returns. */
export type Verb<T> = {
  command: string;
  describe: string;
  builder: NonNullable<CommandModule<GlobalOptions, T>['builder']>;
  /** The arguments as yargs is to see them. */
  rewrite?: (argv: readonly string[]) => string[];
  /** It only shows something: its exit code says nothing to anybody who does not read that. */
  isShow?: true;
  handle: (args: T & GlobalOptions) => Promise<number>;
};
