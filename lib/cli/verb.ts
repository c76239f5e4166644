import type { CommandModule } from 'yargs';
import type { GlobalOptions } from './options.ts';

/** A verb: how it is called, and what it does. Its exit code is what `handle` returns. */
export type Verb<T> = {
  command: string;
  describe: string;
  builder: NonNullable<CommandModule<GlobalOptions, T>['builder']>;
  handle: (args: T & GlobalOptions) => Promise<number>;
};
