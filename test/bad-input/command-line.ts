import { join } from 'node:path';
import type { Rig } from '../rig/repository.ts';
import { type Case, type Row, refuseAll, untouched } from './table.ts';

/** In a repository with a plan of one workstream, `A`, in which nothing was ever launched. */

const usage = (what: string, ...args: string[]): Case => ({ what, args, exit: 2, code: 'USAGE' });
const noState = (...args: string[]): Case => {
  return { what: 'nothing was ever launched', args, exit: 3, code: 'NO_STATE' };
};

const CASES: Case[] = [
  usage('no command'),
  usage('a command that is not there', 'lunch'),
  usage('an option that is not there', 'launch', '--max-paralel', '3'),
  usage('an argument too many', 'reattach', 'A'),
  usage('an argument too few', 'worker'),
  usage('an argument too few', 'completion'),
  usage('no workstream is named', 'stop'),
  usage('names beside all', 'stop', 'A', '--all'),
  usage('names beside all', 'stop', 'nosuch', '--all'),
  usage('names beside all that failed', 'retry', 'A', '--failed'),
  usage('names beside all that failed', 'retry', 'nosuch', '--failed'),
  usage('an option without its value', 'launch', '--timeout'),
  usage('an empty value', 'launch', '--base='),
  usage('an option instead of a value', 'launch', '--max-parallel', '--dry-run'),
  usage('one value, given twice', 'launch', '--max-parallel', '2', '--max-parallel', '3'),
  usage('a value for a switch', 'launch', '--dry-run=maybe'),
  usage('a duration in words', 'launch', '--timeout', 'soon'),
  usage('a duration without a unit', 'launch', '--task-timeout', '90'),
  usage('a duration of nothing', 'launch', '--stall-timeout', '0s'),
  usage('a duration below nothing', 'launch', '--timeout', '-5s'),
  usage('a duration without bounds', 'launch', '--timeout', '99999999999d'),
  usage('a bad duration', 'stop', 'A', '--grace', '10 s'),
  usage('a bad duration', 'wait', '--timeout', 'x'),
  usage('a bad duration', 'reap', '--older-than', '7days'),
  usage('a number in words', 'launch', '--max-parallel', 'many'),
  usage('no worker at all', 'launch', '--max-parallel', '0'),
  usage('half a worker', 'launch', '--max-parallel', '1.5'),
  usage('a number below its least', 'launch', '--restart', '-1'),
  usage('a number beyond all numbers', 'launch', '--max-parallel', '1e99'),
  usage('a bad number of lines', 'logs', 'A', '-n', 'ten'),
  usage('an empty root', 'status', '--root', ''),
  usage('two roots', 'status', '--root', '.', '--root', '..'),
  usage('a column that there is not', 'status', '--columns', 'workstream,progres'),
  usage('a format that there is not', 'status', '--format', 'yaml'),
  usage('nothing is left of the plan', 'launch', '--skip', 'A'),
  usage('an option that needs another', 'run', '--wait'),
  usage('a choice that there is not', 'schema', 'nonsense'),
  usage('a mode that there is not', '--mode', 'nonsense'),
  { what: 'a base that is no commit', args: ['launch', '--base', 'nope'], exit: 2, code: 'BAD_REF' },
  {
    what: 'an id that the plan does not have',
    args: ['launch', '--only', 'B'],
    exit: 3,
    code: 'NO_WORKSTREAM',
  },
  {
    what: 'an id that the plan does not have',
    args: ['launch', '--skip', 'B'],
    exit: 3,
    code: 'NO_WORKSTREAM',
  },
  {
    what: 'a worker of an id that is no id',
    args: ['worker', '--workstream', '../x'],
    exit: 3,
    code: 'NO_WORKSTREAM',
  },
];

const NOWHERE: Case[] = [
  noState('status'),
  noState('status', 'A'),
  noState('wait'),
  noState('logs'),
  noState('logs', 'A'),
  noState('stop', 'A'),
  noState('stop', '--all'),
  noState('retry', 'A'),
  noState('retry', '--failed'),
  noState('reattach'),
  noState('reap'),
];

/** Faults of the command line alone. */
export async function commandLine(rig: Rig): Promise<Row[]> {
  const worker = CASES.at(-1);
  const rows = await untouched(rig, () =>
    refuseAll(rig, [...CASES.slice(0, -1), ...NOWHERE, ...rootCases(rig)]),
  );
  // A worker in the foreground makes the state folders before it knows its plan.
  return worker === undefined ? rows : [...rows, ...(await refuseAll(rig, [worker]))];
}

function rootCases(rig: Rig): Case[] {
  const code = 'NOT_A_REPOSITORY';
  const absent = join(rig.aside, 'absent');
  return [
    { what: 'a root that is not there', args: ['launch', '--root', absent], exit: 2, code },
    { what: 'a root that is not there', args: ['status', '--root', absent], exit: 2, code },
    { what: 'a root that is a file', args: ['launch', '--root', 'README.md'], exit: 2, code },
    {
      what: 'a root that is not there',
      args: ['status'],
      env: { ORCH_ROOT: absent },
      shown: `ORCH_ROOT=${absent} orch status`,
      exit: 2,
      code,
    },
  ];
}
