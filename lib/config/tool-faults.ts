import { type Document, faultAt } from '../plan/document.ts';
import { type Fault, quote } from '../plan/fault.ts';
import { member, type Path, type Raw, type RawMap } from '../plan/raw.ts';
import { maskSecrets } from '../protocol/mask.ts';
import { nearNames } from '../protocol/near.ts';
import { BUILT_IN_TOOLS, isBuiltInTool, PLACEHOLDERS, placeholdersIn } from '../protocol/tools.ts';
import { RULE_FIELD_NAMES, TOOL_FIELD_NAMES, USAGE_FIELD_NAMES } from './tools.ts';

/** What a schema cannot say of `tools`: names, placeholders, secrets, and which field belongs to which tool. */

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;
const NAMES_SECRET = /key|token|secret|password|credential/i;
/** `MAX_TOKENS=4096` is none. */
const HARMLESS = /^(?:[\d.]{0,9}|true|false|yes|no|on|off)$/i;
const OPTION_WITH_SECRET = /^--?[\w-]*(?:key|token|secret|password)=(.*)$/is;
const SECRET_HINT =
  'Put NAME=value into a file that git ignores, and name the file in "env_file". Tools get its variables.';
const REGISTERED_ONLY = ['prompt', 'outcomes', 'usage'];

/** Faults below `tools`, besides wrong types. */
export function toolFaults(document: Document, root: RawMap): Fault[] {
  const tools = member(root, 'tools');
  if (tools?.kind !== 'map') return [];
  return tools.entries.flatMap(({ key, value }) =>
    value.kind === 'map' ? faultsOfTool(document, ['tools', key], key, value) : [],
  );
}

function faultsOfTool(document: Document, path: Path, name: string, tool: RawMap): Fault[] {
  const faults = [
    ...nameFaults(document, path, name),
    ...unknownKeys(document, path, tool, TOOL_FIELD_NAMES),
    ...secretFaults(document, path, tool),
    ...variableFaults(document, path, tool),
    ...ruleFaults(document, path, tool),
  ];
  const usage = member(tool, 'usage');
  if (usage?.kind === 'map')
    faults.push(...unknownKeys(document, [...path, 'usage'], usage, USAGE_FIELD_NAMES));
  faults.push(
    ...(isBuiltInTool(name)
      ? builtInFaults(document, path, name, tool)
      : registeredFaults(document, path, name, tool)),
  );
  return faults;
}

function nameFaults(document: Document, path: Path, name: string): Fault[] {
  if (NAME.test(name) && name !== 'command') return [];
  const why = name === 'command' ? 'is what orch calls tasks {run: ...}' : 'cannot be the name of a tool';
  const hint =
    'A name has letters, digits, ".", "_" and "-", 50 at most, and begins with a letter or a digit.';
  return [faultAt(document, path, 'bad_tool', `${quote(name)} ${why}`, hint, 'key')];
}

function unknownKeys(document: Document, path: Path, map: RawMap, known: readonly string[]): Fault[] {
  return map.entries.flatMap(({ key }) => {
    if (known.includes(key)) return [];
    const near = nearNames(key.replaceAll('-', '_'), known);
    const hint =
      near.length > 0 ? `Did you mean ${near.map(quote).join(' or ')}?` : `There are ${known.join(', ')}.`;
    const message = `${quote(key)} is not a field of ${quote(path.join('.'))}`;
    return [faultAt(document, [...path, key], 'unknown_field', message, hint, 'key')];
  });
}

/** A key by its shape, whatever it is called. */
const looksLikeKey = (text: string): boolean => maskSecrets(text) !== text;

const isSecret = (name: string, value: string): boolean =>
  looksLikeKey(value) || (NAMES_SECRET.test(name) && !HARMLESS.test(value));

/** Values are never shown. */
function secretFaults(document: Document, path: Path, tool: RawMap): Fault[] {
  const fault = (at: Path, what: string): Fault =>
    faultAt(document, at, 'secret', `${what} looks like a secret, which a config must not hold`, SECRET_HINT);
  const env = member(tool, 'env');
  const args = member(tool, 'args');
  return [
    ...(env?.kind === 'map' ? env.entries : []).flatMap(({ key, value }) =>
      isSecret(key, textOf(value)) ? [fault([...path, 'env', key], quote(key))] : [],
    ),
    ...(args?.kind === 'list' ? args.items : []).flatMap((item, index) => {
      const text = textOf(item);
      const [, value] = OPTION_WITH_SECRET.exec(text) ?? [];
      const isOne =
        value === undefined
          ? looksLikeKey(text)
          : isSecret('key', value) && placeholdersIn(value).length === 0;
      return isOne ? [fault([...path, 'args', index], `argument ${index + 1}`)] : [];
    }),
  ];
}

const textOf = (raw: Raw): string => (raw.kind === 'scalar' && raw.value !== null ? String(raw.value) : '');

function variableFaults(document: Document, path: Path, tool: RawMap): Fault[] {
  const env = member(tool, 'env');
  if (env?.kind !== 'map') return [];
  return env.entries.flatMap(({ key }) => {
    const isOurs = key.startsWith('ORCH_') && !key.startsWith('ORCH_LLM_');
    if (!isOurs && !key.startsWith('GIT_')) return [];
    const message = `${quote(key)} is for orch to set`;
    return [faultAt(document, [...path, 'env', key], 'bad_env', message, 'Leave it out.', 'key')];
  });
}

function ruleFaults(document: Document, path: Path, tool: RawMap): Fault[] {
  const rules = member(tool, 'outcomes');
  if (rules?.kind !== 'list') return [];
  return rules.items.flatMap((rule, index) => {
    if (rule.kind !== 'map') return [];
    const at = [...path, 'outcomes', index];
    const isEmpty = !rule.entries.some(({ key }) => key !== 'outcome');
    const hint = 'Give it "exit_code", "pattern" or "json".';
    return [
      ...unknownKeys(document, at, rule, RULE_FIELD_NAMES),
      ...(isEmpty
        ? [faultAt(document, at, 'bad_tool', 'a rule without a condition would always hold', hint)]
        : []),
    ];
  });
}

function builtInFaults(document: Document, path: Path, name: string, tool: RawMap): Fault[] {
  const foreign = [...REGISTERED_ONLY, ...(name === 'llm' ? ['executable', 'args'] : [])];
  return tool.entries.flatMap(({ key }) => {
    if (!foreign.includes(key)) return [];
    const why =
      name === 'llm' && !REGISTERED_ONLY.includes(key)
        ? 'llm is no program'
        : `orch knows how ${name} is run`;
    const hint = 'Leave it out, or register the tool by another name.';
    return [
      faultAt(
        document,
        [...path, key],
        'misplaced_field',
        `${quote(key)} has no use here: ${why}`,
        hint,
        'key',
      ),
    ];
  });
}

function registeredFaults(document: Document, path: Path, name: string, tool: RawMap): Fault[] {
  const faults: Fault[] = [];
  if (member(tool, 'executable') === undefined) {
    const near = nearNames(name, BUILT_IN_TOOLS);
    const hint =
      near.length > 0
        ? `Did you mean ${near.map(quote).join(' or ')}? A tool that orch does not know needs "executable".`
        : `Say which program is run; orch knows ${BUILT_IN_TOOLS.join(', ')} by itself.`;
    faults.push(faultAt(document, path, 'missing_field', `${quote(name)} has no "executable"`, hint, 'key'));
  }
  return [...faults, ...placeholderFaults(document, path, tool)];
}

function placeholderFaults(document: Document, path: Path, tool: RawMap): Fault[] {
  const args = member(tool, 'args');
  const items = args?.kind === 'list' ? args.items : [];
  const written = member(tool, 'prompt');
  const way = written === undefined ? 'stdin' : textOf(written);
  const used = new Set<string>();
  const faults = items.flatMap((item, index) => {
    const names = placeholdersIn(textOf(item));
    for (const name of names) used.add(name);
    return names.flatMap((name) => {
      const wrong = whyWrong(name, way, member(tool, 'model') !== undefined);
      return wrong === null ? [] : [faultAt(document, [...path, 'args', index], 'bad_tool', ...wrong)];
    });
  });
  const needed = way === 'file' ? 'prompt_file' : way === 'argument' ? 'prompt' : null;
  if (needed === null || used.has(needed)) return faults;
  const message = `no argument holds {${needed}}, so the tool would not get the prompt`;
  const hint = `Add {${needed}} to "args", or let it have the prompt by "prompt": "stdin".`;
  return [
    ...faults,
    faultAt(document, [...path, args === undefined ? 'prompt' : 'args'], 'bad_tool', message, hint),
  ];
}

function whyWrong(name: string, way: string, hasModel: boolean): [message: string, hint: string] | null {
  if (!PLACEHOLDERS.some((one) => one === name)) {
    const near = nearNames(name, PLACEHOLDERS);
    const known = (near.length > 0 ? near : PLACEHOLDERS).map((one) => `{${one}}`).join(', ');
    const hint = `${near.length > 0 ? 'Did you mean' : 'There are'} ${known}${near.length > 0 ? '?' : '.'} For the text itself write {{${name}}}.`;
    return [`there is no placeholder {${name}}`, hint];
  }
  if (name === 'prompt' && way !== 'argument')
    return [
      '{prompt} would show the prompt to everybody on this machine',
      'Use {prompt_file}, or say "prompt": "argument".',
    ];
  if (name === 'model' && !hasModel) return ['{model} has no value', 'Add "model" to the tool.'];
  return null;
}
