/** The ways in which a model is asked: OpenAI's two, Anthropic's, Google's. */
export type Api = 'chat' | 'responses' | 'messages' | 'gemini';

/** A tool that the client offers to the model. `input`: it takes text that is no JSON (OpenAI's custom tools). */
export type Offered = {
  name: string;
  input: 'json' | 'text';
  fields: readonly Field[];
};
export type Field = { name: string; type: string; isRequired: boolean };

/** A request, whatever API it came by. */
export type Asked = {
  api: Api;
  model: string;
  isStream: boolean;
  tools: readonly Offered[];
  /** How many tools have answered since the last word of the user. */
  toolResults: number;
  /** All text in it, tools aside. */
  prompt: string;
};

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objects = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Which API a path belongs to, with any prefix before it; null for what no model is asked by. */
export function apiOf(path: string): Api | null {
  if (path.endsWith('/chat/completions')) return 'chat';
  if (path.endsWith('/responses')) return 'responses';
  if (path.endsWith('/messages')) return 'messages';
  return /:(?:stream)?generateContent$/i.test(path) ? 'gemini' : null;
}

/** Reads a request of that API; `path` without its query. A body that is no object asks for nothing. */
export function readAsk(api: Api, path: string, body: unknown): Asked {
  const asked = isObject(body) ? body : {};
  const turns = objects(asked['messages'] ?? asked['input'] ?? asked['contents']);
  const { tools: _tools, ...rest } = asked;
  const inPath = /\/models\/([^/:]+):/.exec(path)?.[1];
  return {
    api,
    model: inPath ?? text(asked['model']),
    isStream: api === 'gemini' ? /:stream/i.test(path) : asked['stream'] === true,
    tools: toolsOf(asked['tools']),
    toolResults: resultsSinceUser(turns),
    prompt: stringsOf(rest).join('\n'),
  };
}

function toolsOf(tools: unknown): Offered[] {
  return objects(tools).flatMap((tool) => {
    const declared = objects(tool['functionDeclarations'] ?? tool['function_declarations']);
    if (declared.length > 0) return declared.map(offered);
    // Codex puts the tools of one program into a namespace.
    if (tool['type'] === 'namespace') return [];
    return [offered(isObject(tool['function']) ? tool['function'] : tool, tool['type'])];
  });
}

function offered(tool: Json, type: unknown = 'function'): Offered {
  const schemas = [tool['parameters'], tool['input_schema'], tool['parametersJsonSchema']];
  const schema = schemas.find(isObject) ?? {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const properties = isObject(schema['properties']) ? Object.entries(schema['properties']) : [];
  const fields = properties.map(([name, property]) => ({
    name,
    type: isObject(property) ? text(property['type']).toLowerCase() : '',
    isRequired: required.includes(name),
  }));
  return { name: text(tool['name']) || text(type), input: type === 'custom' ? 'text' : 'json', fields };
}

/** What tools answered, counted from the end to the last turn that a person wrote. */
function resultsSinceUser(turns: readonly Json[]): number {
  let count = 0;
  for (const turn of turns.toReversed()) {
    const here = resultsIn(turn);
    count += here;
    if (here === 0 && turn['role'] === 'user') return count;
  }
  return count;
}

function resultsIn(turn: Json): number {
  if (turn['role'] === 'tool') return 1;
  if (/_call_output$/.test(text(turn['type']))) return 1;
  const blocks = objects(turn['content'] ?? turn['parts']);
  return blocks.filter((block) => block['type'] === 'tool_result' || isObject(block['functionResponse']))
    .length;
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(stringsOf);
  return isObject(value) ? Object.values(value).flatMap(stringsOf) : [];
}
