import type { PlanOptions } from '../protocol/plan.ts';
import type { Reason } from '../protocol/status.ts';
import { readEnvFile } from './env-file.ts';

type Needs = Partial<Pick<PlanOptions, 'envFile' | 'requireEnv'>>;

/** `fault`: why the file cannot be given to workers. It holds no value. */
export type WorkerEnvironment = { values: Record<string, string>; fault: string | null };

/** What `env_file` gives to a worker now. It is read anew each time, so that a person may mend it. */
export function readWorkerEnvironment({ envFile = null }: Needs): WorkerEnvironment {
  if (envFile === null) return { values: {}, fault: null };
  const file = readEnvFile(envFile);
  switch (file.kind) {
    case 'read':
      return { values: file.values, fault: null };
    case 'absent':
      return { values: {}, fault: `the env_file ${envFile} is not there` };
    case 'faulty':
      return { values: {}, fault: `${envFile}:${file.line}:${file.column}: ${file.message}` };
  }
}

/**
 * Why a workstream with the variables `planned` may not begin, or null. A variable is there if the env_file, the
 * plan or `inherited`, the environment of whoever starts the worker, has it and it is not empty.
 */
export function lackOf(
  { requireEnv = [], envFile = null }: Needs,
  { values, fault }: WorkerEnvironment,
  planned: Readonly<Record<string, string>>,
  inherited: NodeJS.ProcessEnv,
): Reason | null {
  const then = 'then run `orch reattach`.';
  if (fault !== null) return { code: 'environment', message: fault, hint: `Make or mend that file, ${then}` };
  const missing = requireEnv.filter(
    (name) => (planned[name] ?? values[name] ?? inherited[name] ?? '') === '',
  );
  if (missing.length === 0) return null;
  const names = missing.join(', ');
  const isOne = missing.length === 1;
  const message = `it needs ${names}, which ${isOne ? 'is' : 'are'} not set`;
  const place = envFile === null ? 'in your shell' : `in ${envFile}`;
  return { code: 'environment', message, hint: `Set ${isOne ? 'it' : 'them'} ${place}, ${then}` };
}
