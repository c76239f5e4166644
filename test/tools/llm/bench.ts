import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { scopeMatcher } from '../../../lib/protocol/scope.ts';
import type { ToolRequest, ToolResult } from '../../../lib/tools/adapter.ts';
import { llm } from '../../../lib/tools/llm.ts';
import { put, sh } from '../../git/repo.ts';

/** A repository with files, in which the adapter runs one task. */

export const KEY = 'sk-very-secret-0123456789';

export async function repositoryWith(files: Record<string, string>): Promise<string> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'orch-llm-')));
  await sh(root, 'init', '--quiet', '--initial-branch=main');
  await put(root, files);
  await sh(root, 'add', '--all');
  await sh(root, 'commit', '--quiet', '--message=start');
  return root;
}

const made: string[] = [];
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

export type Wanted = {
  worktree: string;
  url: string;
  prompt?: string;
  /** Absent: no scope. */
  scope?: string[];
  present?: string[];
  env?: Record<string, string>;
  timeoutMs?: number;
  stallMs?: number;
  stop?: AbortSignal;
};

export function requestFor(wanted: Wanted): ToolRequest {
  const { worktree, url, prompt = 'Change it.', scope, present = [] } = wanted;
  const scratch = mkdtempSync(join(tmpdir(), 'orch-llm-scratch-'));
  made.push(scratch);
  const env = {
    PATH: process.env['PATH'] ?? '',
    ORCH_LLM_BASE_URL: url,
    ORCH_LLM_MODEL: 'm',
    ORCH_LLM_API_KEY: KEY,
    ...wanted.env,
  };
  return {
    task: { kind: 'prompt', prompt, tool: null, timeoutMs: null, digest: 'd', step: null },
    prompt,
    worktree,
    scratch,
    env,
    settings: {},
    files: { present, toCreate: [], isInside: scope === undefined ? () => true : scopeMatcher(scope) },
    transcript: { read: () => ({ out: '', err: '' }) },
    supervision: {
      timeoutMs: wanted.timeoutMs ?? 60_000,
      stallMs: wanted.stallMs ?? 60_000,
      graceMs: 200,
      stop: wanted.stop ?? new AbortController().signal,
      kin: async () => [],
      onStart: async () => undefined,
      onSignal: () => undefined,
    },
  };
}

export const run = (wanted: Wanted): Promise<ToolResult> => llm.run(requestFor(wanted));

export const block = (path: string, search: string, replace: string): string =>
  `FILE: ${path}\n<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE\n`;

export const whole = (path: string, text: string): string =>
  `FILE: ${path}\n<<<<<<< WHOLE FILE\n${text}\n>>>>>>> WHOLE FILE\n`;
