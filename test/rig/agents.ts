import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from './ledger.ts';
import { type Rig, wholeLines } from './repository.ts';

/** Registered tools that do what a script says, so that each outcome can be had at will. */

export type ScriptedTurn = {
  write?: Record<string, string>;
  commit?: string;
  /** A file below `aside` that it waits for, after it wrote. */
  waits?: string;
  says?: string | string[];
  exit?: number;
  usage?: { in: number; out: number; cost: number };
};

const OUTCOMES = ['auth', 'rate_limited', 'quota', 'context_overflow', 'bad_edit', 'error'].map(
  (outcome) => ({
    outcome,
    pattern: `^${outcome.toUpperCase()}`,
  }),
);

/** The `tools` of a config, one tool for each script; `accounts` names those that are not the tool's own. */
export function scriptedTools(
  rig: Rig,
  scripts: Record<string, ScriptedTurn[]>,
  accounts: Record<string, string> = {},
): Record<string, unknown> {
  mkdirSync(rig.aside, { recursive: true });
  return Object.fromEntries(
    Object.entries(scripts).map(([name, turns]) => {
      writeFileSync(join(rig.aside, `${name}.json`), JSON.stringify(turns));
      const account = accounts[name] === undefined ? {} : { account: accounts[name] };
      const usage = { tokens_in: 'usage.in', tokens_out: 'usage.out', cost_usd: 'usage.cost' };
      const args = [tool('scripted.mjs'), name, rig.aside];
      return [name, { executable: process.execPath, args, outcomes: OUTCOMES, usage, ...account }];
    }),
  );
}

export type Call = {
  name: string;
  workstream: string;
  attempt: number;
  pid: number;
  at: number;
  hasKey: boolean;
  prompt: string;
};

/** All calls of scripted tools so far, in order; one that is just being written is not yet there. */
export function callsOf(rig: Rig, workstream?: string): Call[] {
  const calls = wholeLines(join(rig.aside, 'calls.ndjson')).map((line) => JSON.parse(line) as Call);
  return calls.filter((call) => workstream === undefined || call.workstream === workstream);
}
