import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Fault } from '../../lib/plan/fault.ts';
import { type PlanResult, type ReadOptions, readPlan } from '../../lib/plan/read.ts';
import type { PlannedWorkstream } from '../../lib/protocol/plan.ts';

/** A folder with these files, gone after the test. */
export async function folderWith(files: Record<string, unknown>): Promise<string> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'orch-plan-')));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), textOf(content));
  }
  return root;
}

function textOf(content: unknown): string | Uint8Array {
  if (typeof content === 'string' || content instanceof Uint8Array) return content;
  return JSON.stringify(content, null, 2);
}

/** Reads the one file `name` with this content, or with several files the whole folder. */
export async function readFiles(
  files: Record<string, unknown>,
  args: string[] = Object.keys(files),
  options: Partial<ReadOptions> = {},
): Promise<PlanResult> {
  const root = await folderWith(files);
  return readPlan(root, args, { cwd: root, ...options });
}

/** The workstreams, or a failure that shows the faults. */
export function soundOf(result: PlanResult): PlannedWorkstream[] {
  if (!result.ok) throw new Error(`not sound: ${JSON.stringify(result.faults, null, 2)}`);
  return result.workstreams;
}

export function faultsOf(result: PlanResult): Fault[] {
  if (result.ok) throw new Error('expected faults, but the plan was read');
  return result.faults;
}

/** `code@line:column` of each fault. */
export function placesOf(result: PlanResult): string[] {
  return faultsOf(result).map((fault) => `${fault.code}@${fault.line}:${fault.column}`);
}
