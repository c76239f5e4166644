import { OrchError } from '../../errors.ts';

/** What a person asks for in the view, done by the code of the commands. Loaded when first asked for. */

/** Stops one workstream as `orch stop ID` does; returns what became of it, in a line. */
async function stopOne(root: string, id: string): Promise<string> {
  const [{ stopWorkstream }, { graceOf }, { makeFolders }] = await Promise.all([
    import('../stop-workstream.ts'),
    import('../grace.ts'),
    import('../../store/folders.ts'),
  ]);
  makeFolders(root);
  const actor = { role: 'stop', pid: process.pid } as const;
  const { status, note } = await stopWorkstream(root, id, {
    graceMs: graceOf(root),
    presumeDead: false,
    actor,
  });
  return `${id} ${status}${note === '' ? '' : `: ${note}`}`;
}

/** Begins a new attempt as `orch retry ID` does. */
async function retryOne(root: string, id: string): Promise<string> {
  const [{ retryWorkstreams }, { makeFolders }] = await Promise.all([
    import('../retry-workstreams.ts'),
    import('../../store/folders.ts'),
  ]);
  makeFolders(root);
  await retryWorkstreams(root, [id], false);
  return `${id} begins a new attempt`;
}

/** Does it, and says in a line what came of it; a refusal is an answer too. */
export async function carryOut(root: string, wish: 'stop' | 'retry', id: string): Promise<string> {
  try {
    return await (wish === 'stop' ? stopOne(root, id) : retryOne(root, id));
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    return `${error.message}${error.hint === null ? '' : `. ${error.hint}`}`;
  }
}
