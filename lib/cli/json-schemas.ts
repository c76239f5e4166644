import { StrictConfigSchema } from '../config/schema.ts';
import { PlanSchema } from '../plan/schema.ts';
import { EventSchema } from '../protocol/events.ts';
import { StatusRecordSchema } from '../protocol/status.ts';

export const SCHEMA_NAMES = ['status', 'plan', 'config', 'event'] as const;
export type SchemaName = (typeof SCHEMA_NAMES)[number];

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

const TITLES: Readonly<Record<SchemaName, string>> = {
  status: 'A status record of orch (.status/<id>.json)',
  plan: 'A plan of orch (orch.plan.yaml, orch.plan.json, or a file of workstreams)',
  config: 'The config of orch (orch.config.yaml or orch.config.json)',
  event: 'An event of orch: a line of _events.ndjson, or of --json while a command watches',
};

/** Made of the very definitions that orch checks by; rules that JSON Schema cannot say are left out. */
export async function jsonSchemaOf(name: SchemaName): Promise<Record<string, unknown>> {
  const { toJsonSchema } = await import('@valibot/to-json-schema');
  const target = { target: 'draft-2020-12', errorMode: 'ignore' } as const;
  const convert = (): Record<string, unknown> => {
    switch (name) {
      case 'status':
        // As on disk: what a reader has a default for may be absent.
        return { ...toJsonSchema(StatusRecordSchema, { ...target, typeMode: 'input' }) };
      case 'plan':
        // Of a check followed by an object, the object.
        return { ...toJsonSchema(PlanSchema, { ...target, typeMode: 'output' }) };
      case 'config':
        return { ...toJsonSchema(StrictConfigSchema, target) };
      case 'event':
        return { ...toJsonSchema(EventSchema, target) };
    }
  };
  return { $schema: DIALECT, title: TITLES[name], ...convert() };
}

/** All of them as the definitions of one document. */
export async function allJsonSchemas(): Promise<Record<string, unknown>> {
  const schemas = await Promise.all(
    SCHEMA_NAMES.map(async (name) => {
      const { $schema: _, ...schema } = await jsonSchemaOf(name);
      return [name, schema] as const;
    }),
  );
  return { $schema: DIALECT, title: 'The files of orch', $defs: Object.fromEntries(schemas) };
}
