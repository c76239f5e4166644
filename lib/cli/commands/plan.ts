import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { OrchError } from '../../errors.ts';
import { type Fault, faultOfFile } from '../../plan/fault.ts';
import { ENV } from '../../protocol/layout.ts';
import { jsonLine } from '../../protocol/text.ts';
import { configOf } from '../config.ts';
import { type CheckedPlan, type Selection, soundPlan, tellWarnings } from '../plan-for-launch.ts';
import { planJson } from '../plan-json.ts';
import { screenOf } from '../render.ts';
import { graphLines, mermaidLines, planLines } from '../render-plan.ts';
import { findRoot } from '../root.ts';
import { unusableFromHere } from '../tool-sources.ts';
import type { Verb } from '../verb.ts';

type Args = {
  plan?: string[] | undefined;
  only?: string[] | undefined;
  skip?: string[] | undefined;
  tool?: string[] | undefined;
  workstreams?: string | undefined;
  graph?: string | undefined;
};

const GRAPHS = ['text', 'mermaid'] as const;

/** `orch plan`: checks a plan and shows its waves. Writes nothing, and runs nothing that the plan names. */
export const verb: Verb<Args> = {
  command: 'plan [plan..]',
  describe: 'Check a plan and show its waves; writes and runs nothing',
  isShow: true,
  rewrite: withGraphValue,
  builder: (yargs) =>
    yargs
      .positional('plan', {
        type: 'string',
        array: true,
        describe: 'Plan files or folders (default: orch.plan.yaml, the analysis, workstreams/)',
      })
      .option('only', { type: 'string', array: true, describe: 'Only these workstreams' })
      .option('skip', { type: 'string', array: true, describe: 'All but these workstreams' })
      .option('tool', { type: 'string', array: true, describe: 'Tools to try, first choice first' })
      .option('workstreams', {
        type: 'string',
        requiresArg: true,
        describe: 'Where a plan in Markdown takes details from',
      })
      .option('graph', {
        choices: GRAPHS,
        describe: 'Show what waits for what, as text or for Mermaid',
      })
      .example('$0 plan', 'the plan of this repository')
      .example('$0 plan --graph mermaid plans/night.yaml', 'a drawing for a README')
      .example('$0 plan --json --only WS-001', 'one JSON object, for programs') as never,
  handle: async (args) => {
    const { root, notes } = await rootOrFolder(args.root);
    const config = await configOf(root);
    const selection: Selection = {
      plan: args.plan ?? [],
      only: args.only ?? [],
      skip: args.skip ?? [],
      tool: args.tool ?? config.options.tool ?? null,
      programs: config.acceptancePrograms,
      config: config.options,
      workstreams: args.workstreams,
    };
    const checked = await soundPlan(root, selection, 'A launch would be refused. Mend the plan first.');
    const { workstreams } = checked;
    const warnings = [...notes, ...checked.warnings, ...toolWarnings(checked, selection)];
    if (args.json) {
      process.stdout.write(jsonLine(planJson(workstreams, warnings, selection.tool)));
      return 0;
    }
    const screen = screenOf(args.color);
    const lines =
      args.graph === 'mermaid'
        ? mermaidLines(workstreams)
        : args.graph === 'text'
          ? graphLines(workstreams, screen)
          : planLines(workstreams, selection.tool, screen);
    process.stdout.write(`${lines.join('\n')}\n`);
    if (!args.quiet) tellWarnings(warnings, false);
    return 0;
  },
};

/** One for all: where no agent is at hand, most workstreams of a plan would say the same. */
function toolWarnings({ workstreams, places }: CheckedPlan, { tool, config }: Selection): Fault[] {
  const unusable = unusableFromHere(workstreams, tool, config, places);
  const [first] = unusable;
  if (first === undefined) return [];
  const [, file = first.source, line = 1, column = 1] = /^(.*):(\d+):(\d+)$/s.exec(first.source) ?? [];
  const more = unusable.length > 1 ? `, and so do ${unusable.length - 1} more` : '';
  const message = `a launch would be refused: ${first.message.slice(first.source.length + 2)}${more}`;
  return [
    { ...faultOfFile(file, 'no_tool', message, first.hint), line: Number(line), column: Number(column) },
  ];
}

/** `--graph` may stand alone, before a plan: yargs would take the plan for its value. */
export function withGraphValue(argv: readonly string[]): string[] {
  return argv.map((word, index) => {
    if (word !== '--graph') return word;
    const next = argv[index + 1] ?? '';
    return GRAPHS.some((graph) => graph === next) ? word : '--graph=text';
  });
}

/** A plan can be checked where there is no repository yet: then its folder is the root. */
async function rootOrFolder(option: string | undefined): Promise<{ root: string; notes: Fault[] }> {
  try {
    return { root: await findRoot(option), notes: [] };
  } catch (error) {
    if (!(error instanceof OrchError) || error.code !== 'NOT_A_REPOSITORY') throw error;
    const folder = resolve(option ?? process.env[ENV.root] ?? '.');
    const root = existing(folder, error);
    const hint = 'The plan is only checked. A launch needs a git repository with a commit.';
    return { root, notes: [faultOfFile(folder, 'no_repository', error.message, hint)] };
  }
}

function existing(folder: string, why: OrchError): string {
  try {
    return realpathSync(folder);
  } catch (cause) {
    throw new OrchError(why.code, why.message, { hint: why.hint ?? '', cause });
  }
}
