import type { Adapter } from './adapter.ts';
import { readLlmSettings } from './llm/settings.ts';

/** The direct model API: no program is started, the worker itself asks the model and makes its edits. */
export const llm: Adapter = {
  name: 'llm',
  isAgent: true,
  find: (env, settings) => {
    const read = readLlmSettings(env, settings);
    return read.ok
      ? { usable: true, file: read.llm.baseUrl }
      : { usable: false, why: read.why, hint: read.hint };
  },
  version: async () => null,
  run: async (request) => {
    const read = readLlmSettings(request.env, request.settings);
    if (!read.ok) {
      const message = `${read.why}. ${read.hint}`;
      return {
        outcome: 'not_installed',
        exitCode: null,
        signal: null,
        message,
        usage: null,
        retryAfterSeconds: null,
      };
    }
    // Lazily: the worker of a plan without prompts never needs the library.
    const { runTask } = await import('./llm/run.ts');
    return runTask(request, read.llm);
  },
};
