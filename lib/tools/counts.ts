import type { ToolUsage } from './adapter.ts';

/** More tokens, or US dollars, than one run can use: the record has a place for counts, and none for nonsense. */
const MOST_TOKENS = 2 ** 40;
const MOST_USD = 1e9;

/** What a tool said of its use as a record can hold it: whole tokens, a cost that is a number, neither below 0. */
export function believable({ tokensIn, tokensOut, costUsd }: ToolUsage): ToolUsage {
  const isCost = costUsd !== null && costUsd >= 0 && costUsd <= MOST_USD;
  return { tokensIn: tokens(tokensIn), tokensOut: tokens(tokensOut), costUsd: isCost ? costUsd : null };
}

/** What is no count is none. */
function tokens(told: number): number {
  return told > 0 ? Math.min(Math.round(told), MOST_TOKENS) : 0;
}
