import type { Action } from './action.ts';
import { FREEZE, KILL, KILL_SEVERAL, TERMINATE } from './signals.ts';
import { COMMANDS } from './verbs.ts';

/** What may be done on anybody's machine: signals to the round's own processes, and several commands at once. */
export const GENTLE: readonly Action[] = [KILL, KILL_SEVERAL, TERMINATE, FREEZE, COMMANDS];
