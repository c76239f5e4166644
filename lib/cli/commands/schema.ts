import { allJsonSchemas, jsonSchemaOf, SCHEMA_NAMES, type SchemaName } from '../json-schemas.ts';
import type { Verb } from '../verb.ts';

type Args = { name?: SchemaName | undefined };

/** `orch schema`: the JSON Schema (2020-12) of what orch reads and writes. Needs no repository. */
export const verb: Verb<Args> = {
  command: 'schema [name]',
  describe: 'Print the JSON Schema of a file, for editors and other programs',
  isShow: true,
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', choices: SCHEMA_NAMES, describe: 'Of what (default: all)' })
      .example('$0 schema config > orch.config.schema.json', 'for "$schema" in orch.config.json')
      .example('$0 schema plan', 'what a plan may hold') as never,
  handle: async ({ name }) => {
    const schema = name === undefined ? await allJsonSchemas() : await jsonSchemaOf(name);
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return 0;
  },
};
