/**
 * Checks a value against a JSON Schema. It knows only the words that orch's own schemas use, and throws at any
 * other: a word that is passed over would let everything through.
 */

type Schema = Record<string, unknown>;
const NOTES = new Set(['$schema', 'title', 'description', 'default']);

/** Where and why the value breaks the schema; empty if it does not. */
export function schemaFaults(schema: Schema, value: unknown, at = '$'): string[] {
  return Object.entries(schema).flatMap(([word, rule]) => {
    if (NOTES.has(word)) return [];
    const check = WORDS[word];
    if (check === undefined) throw new Error(`the word ${word} of a schema is not known here (${at})`);
    return check(rule as never, value, at, schema);
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const fault = (broken: boolean, text: string): string[] => (broken ? [text] : []);
const isFine = (schema: Schema, value: unknown): boolean => schemaFaults(schema, value).length === 0;

const WORDS: Record<string, (rule: never, value: unknown, at: string, schema: Schema) => string[]> = {
  type: (rule: string, value, at) => {
    const fits = rule === 'integer' ? Number.isInteger(value) : typeOf(value) === rule;
    return fault(!fits, `${at} is ${typeOf(value)}, not ${rule}`);
  },
  const: (rule: unknown, value, at) => fault(value !== rule, `${at} is not ${JSON.stringify(rule)}`),
  enum: (rule: unknown[], value, at) => fault(!rule.includes(value), `${at} is none of ${rule.join()}`),
  minimum: (rule: number, value, at) =>
    fault(typeof value === 'number' && value < rule, `${at} is too small`),
  maximum: (rule: number, value, at) =>
    fault(typeof value === 'number' && value > rule, `${at} is too large`),
  pattern: (rule: string, value, at) =>
    fault(typeof value === 'string' && !new RegExp(rule, 'u').test(value), `${at} does not match ${rule}`),
  minItems: (rule: number, value, at) =>
    fault(Array.isArray(value) && value.length < rule, `${at} has too few items`),
  items: (rule: Schema, value, at) =>
    Array.isArray(value) ? value.flatMap((item, index) => schemaFaults(rule, item, `${at}[${index}]`)) : [],
  prefixItems: (rule: Schema[], value, at) =>
    Array.isArray(value)
      ? rule.flatMap((one, index) =>
          index < value.length ? schemaFaults(one, value[index], `${at}[${index}]`) : [],
        )
      : [],
  required: (rule: string[], value, at) =>
    isObject(value) ? rule.flatMap((key) => fault(!Object.hasOwn(value, key), `${at} has no ${key}`)) : [],
  properties: (rule: Record<string, Schema>, value, at) =>
    isObject(value)
      ? Object.entries(rule).flatMap(([key, inner]) =>
          Object.hasOwn(value, key) ? schemaFaults(inner, value[key], `${at}.${key}`) : [],
        )
      : [],
  additionalProperties: (rule: Schema | boolean, value, at, schema) => {
    const known = new Set(Object.keys((schema['properties'] as object | undefined) ?? {}));
    const others = isObject(value) ? Object.entries(value).filter(([key]) => !known.has(key)) : [];
    return others.flatMap(([key, inner]) => {
      if (typeof rule === 'boolean') return fault(!rule, `${at}.${key} is not known`);
      return schemaFaults(rule, inner, `${at}.${key}`);
    });
  },
  propertyNames: (rule: Schema, value, at) =>
    isObject(value)
      ? Object.keys(value).flatMap((key) => schemaFaults(rule, key, `${at}.${key} (its name)`))
      : [],
  anyOf: (rule: Schema[], value, at) =>
    fault(!rule.some((one) => isFine(one, value)), `${at} fits none of ${rule.length} forms`),
  oneOf: (rule: Schema[], value, at) => {
    const fitting = rule.filter((one) => isFine(one, value)).length;
    return fault(fitting !== 1, `${at} fits ${fitting} of ${rule.length} forms, not one`);
  },
};
