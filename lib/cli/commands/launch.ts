import { type LaunchArgs, launchOptions, launchRequest } from '../launch-options.ts';
import { launchPlan } from '../launch-plan.ts';
import type { Verb } from '../verb.ts';

/** `orch launch`: starts the background orchestrator and returns once the first workers have reported. */
export const verb: Verb<LaunchArgs> = {
  command: 'launch [plan..]',
  describe: 'Start workstreams in the background; they outlive this terminal',
  builder: (yargs) =>
    launchOptions(yargs)
      .example('$0 launch', 'the plan of this repository')
      .example('$0 launch plans/night.yaml --max-parallel 6', 'six workers at once')
      .example('$0 launch --only WS-001 WS-002', 'a part of the plan') as never,
  handle: (args) => launchPlan(launchRequest(args)),
};
