import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolSettings } from '../../protocol/tools.ts';
import type { ToolResult } from '../../tools/adapter.ts';

/** What the process that runs the tool is told; both sides are the same build of orch. */
export type Job = {
  tool: string;
  settings: ToolSettings;
  env: Record<string, string>;
  timeoutMs: number;
  stallMs: number;
};

/** Whole or not at all. */
function writeWhole(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const jobPath = (folder: string): string => join(folder, 'job.json');
const resultPath = (folder: string): string => join(folder, 'result.json');

export const writeJob = (folder: string, job: Job): void => writeWhole(jobPath(folder), job);
export const readJob = (folder: string): Job => JSON.parse(readFileSync(jobPath(folder), 'utf8')) as Job;
export const writeResult = (folder: string, result: ToolResult): void =>
  writeWhole(resultPath(folder), result);
/** Null where the process ended without one. */
export function readResult(folder: string): ToolResult | null {
  const path = resultPath(folder);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ToolResult) : null;
}
