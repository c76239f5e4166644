import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'rolldown';
import config from '../../rolldown.config.ts';

/** A change of the source, as text: `find` must be there exactly once, so that no patch can rot unseen. */
export type Patch = { file: string; find: string; replace: string };

const TOP = join(import.meta.dirname, '../..');

/**
 * Builds orch with these changes into a folder of its own and returns it.
 * @throws Error where a patch does not match exactly once.
 */
export async function buildWith(patches: readonly Patch[]): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'orch-dist-'));
  const open = new Set(patches);
  const transform = (code: string, id: string): string | null => {
    const own = patches.filter(({ file }) => id === join(TOP, file));
    if (own.length === 0) return null;
    return own.reduce((text, patch) => {
      const times = text.split(patch.find).length - 1;
      if (times !== 1)
        throw new Error(`the patch of ${patch.file} fits ${times} times, not once: ${patch.find}`);
      open.delete(patch);
      return text.replace(patch.find, () => patch.replace);
    }, code);
  };
  if (Array.isArray(config) || typeof config !== 'object') throw new Error('one build is expected');
  await build({
    ...config,
    cwd: TOP,
    logLevel: 'silent',
    plugins: [{ name: 'sabotage', transform }],
    output: { ...config.output, dir },
  });
  const [missed] = open;
  if (missed !== undefined) throw new Error(`${missed.file} is in no bundle`);
  return dir;
}

/** Removes what `buildWith` made. */
export function removeBuild(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}
