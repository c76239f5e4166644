import type { Argv } from 'yargs';
import type { PlanOptions } from '../protocol/plan.ts';
import type { LaunchRequest } from './launch-plan.ts';
import { countOption, durationOption, type GlobalOptions } from './options.ts';

/** The options that `launch` and `run` share. What is not given is for the config to say, then for the defaults. */
export type LaunchArgs = {
  plan?: string[] | undefined;
  'max-parallel'?: number | undefined;
  only?: string[] | undefined;
  skip?: string[] | undefined;
  tool?: string[] | undefined;
  workstreams?: string | undefined;
  base: string;
  timeout?: string | undefined;
  'task-timeout'?: string | undefined;
  'stall-timeout'?: string | undefined;
  restart?: number | undefined;
  fresh: boolean;
  'dry-run': boolean;
  'allow-dirty': boolean;
};

export function launchOptions(yargs: Argv<GlobalOptions>): Argv<GlobalOptions> {
  return yargs
    .positional('plan', {
      type: 'string',
      array: true,
      describe: 'Plan files or folders (default: orch.plan.yaml, the analysis, workstreams/)',
    })
    .option('max-parallel', { type: 'number', defaultDescription: '3', describe: 'How many workers at once' })
    .option('only', { type: 'string', array: true, describe: 'Only these workstreams' })
    .option('skip', { type: 'string', array: true, describe: 'All but these workstreams' })
    .option('tool', { type: 'string', array: true, describe: 'Tools to try, first choice first' })
    .option('workstreams', {
      type: 'string',
      requiresArg: true,
      describe: 'Where a plan in Markdown takes details from',
    })
    .option('base', { type: 'string', default: 'HEAD', describe: 'Where the branches start' })
    .option('timeout', {
      type: 'string',
      defaultDescription: '8h',
      describe: 'The most that one attempt of a workstream may take',
    })
    .option('task-timeout', {
      type: 'string',
      defaultDescription: '2h',
      describe: 'The most that one task may take',
    })
    .option('stall-timeout', {
      type: 'string',
      defaultDescription: '30m',
      describe: 'The most that a tool may be without output and CPU use',
    })
    .option('restart', {
      type: 'number',
      defaultDescription: '2',
      describe: 'Automatic restarts after a crash',
    })
    .option('fresh', {
      type: 'boolean',
      default: false,
      describe: 'Start over from the base; earlier work is salvaged',
    })
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'Show what would happen; touch nothing',
    })
    .option('allow-dirty', {
      type: 'boolean',
      default: false,
      describe: 'Launch although tracked files have changes',
    }) as never;
}

/** What the arguments ask for. Throws OrchError USAGE. */
export function launchRequest(args: LaunchArgs & GlobalOptions): LaunchRequest {
  return {
    root: args.root,
    plan: args.plan ?? [],
    only: args.only ?? [],
    skip: args.skip ?? [],
    workstreams: args.workstreams,
    base: args.base,
    fresh: args.fresh,
    dryRun: args['dry-run'],
    allowDirty: args['allow-dirty'],
    json: args.json,
    quiet: args.quiet,
    color: args.color,
    options: optionsGiven(args),
  };
}

function optionsGiven(args: LaunchArgs): Partial<PlanOptions> {
  const { 'max-parallel': maxParallel, restart, tool, timeout } = args;
  const { 'task-timeout': taskTimeout, 'stall-timeout': stallTimeout } = args;
  const given: Partial<PlanOptions> = {};
  if (maxParallel !== undefined) given.maxParallel = countOption('max-parallel', maxParallel, 1);
  if (restart !== undefined) given.restart = countOption('restart', restart, 0);
  if (tool !== undefined) given.tool = tool;
  if (timeout !== undefined) given.timeoutMs = durationOption('timeout', timeout);
  if (taskTimeout !== undefined) given.taskTimeoutMs = durationOption('task-timeout', taskTimeout);
  if (stallTimeout !== undefined) given.stallTimeoutMs = durationOption('stall-timeout', stallTimeout);
  return given;
}
