import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../lib/errors.ts';
import { judge } from '../../lib/process/identity.ts';
import { type Action, chosen } from '../../lib/proof/chaos/action.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';
import { orchestratorPath, pidsDir, recordPath, statusDir } from '../../lib/protocol/layout.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import { clearDeadLock } from '../../lib/store/lock.ts';

/** Strangers who tidy up in orch's folders, and strangers who write there. */

const KINDS = ['pid', 'heartbeat', 'temporary', 'dead lock', 'orchestrator', 'record'] as const;

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** True if no worker of the record lives, by its own word or by proof. */
async function isRecordOfDead(path: string): Promise<boolean> {
  const parsed = parseRecord(readFileSync(path, 'utf8'));
  if (parsed.kind !== 'record') return false;
  const { pid, identity } = parsed.record;
  if (pid === null || identity === null) return true;
  return (await judge(pid, identity)) === 'dead';
}

async function candidates(stage: Stage, kind: (typeof KINDS)[number]): Promise<string[]> {
  const { root } = stage.shop;
  const all = [...namesIn(statusDir(root)), ...namesIn(pidsDir(root))];
  switch (kind) {
    case 'pid':
      return all.filter((path) => path.endsWith('.pid'));
    case 'heartbeat':
      return all.filter((path) => path.endsWith('.heartbeat'));
    case 'temporary':
      // Of the dead alone: one that is being written is somebody's.
      return all.filter(
        (path) =>
          /\.\d+$/.test(path) &&
          Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 5_000,
      );
    case 'dead lock':
      return all.filter((path) => path.endsWith('.lock'));
    case 'orchestrator':
      return existsSync(orchestratorPath(root)) ? [orchestratorPath(root)] : [];
    case 'record': {
      const paths = stage.ids.map((id) => recordPath(root, id)).filter((path) => existsSync(path));
      const dead = await Promise.all(paths.map(async (path) => ((await isRecordOfDead(path)) ? [path] : [])));
      return dead.flat();
    }
  }
}

/** Files that may go: PID files, heartbeats, temporary files, locks of the dead, who orchestrates, a dead record. */
export const DELETE: Action = {
  name: 'delete',
  weight: 6,
  decide(random) {
    const kind = random.pick(KINDS);
    const at = random.between(0, 999);
    const run = async (stage: Stage): Promise<void> => {
      try {
        const path = chosen(await candidates(stage, kind), at);
        if (path === undefined) return;
        if (kind === 'dead lock') {
          if (!(await clearDeadLock(path))) return;
        } else rmSync(path, { force: true });
        if (kind === 'record') stage.excuses.push({ kind: 'deleted', workstream: idOf(path) });
        count(stage.tally.deeds, `deleted ${kind}`);
        stage.note(`deleted ${path}`);
      } catch (error) {
        // orch was quicker.
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    };
    return { what: `delete ${kind}`, run };
  },
};

const idOf = (path: string): string =>
  path
    .split('/')
    .at(-1)
    ?.replace(/\.json$/, '') ?? '';

const NONSENSE = [
  '',
  '{',
  '{"status": "running", "schema": "orch.status/1"}',
  '[1,2',
  '\u0000\u0001\u0002',
] as const;

/** A stranger writes a torn or meaningless text over a record, in place. */
export const GARBAGE: Action = {
  name: 'garbage',
  weight: 5,
  decide(random, ids) {
    const id = random.chance(10) ? 'stranger' : ids[random.between(0, ids.length - 1)];
    const cut = random.chance(50) ? random.between(1, 99) : null;
    const nonsense = random.pick(NONSENSE);
    const run = async (stage: Stage): Promise<void> => {
      const path = recordPath(stage.shop.root, id ?? '');
      if (!existsSync(statusDir(stage.shop.root))) return;
      const text = cut !== null && existsSync(path) ? readFileSync(path, 'utf8') : '';
      const written = cut !== null && text !== '' ? text.slice(0, (text.length * cut) / 100) : nonsense;
      stage.excuses.push({ kind: 'garbage', workstream: id ?? '' });
      // A reader may see the file between its truncation and its text.
      for (const planted of ['', written]) stage.planted.add(planted);
      try {
        writeFileSync(path, written);
      } catch (error) {
        // Where the disk of the round is full, nothing may be all that it gets to write.
        if (errnoOf(error) !== 'ENOSPC') throw error;
      }
      count(stage.tally.deeds, 'garbage record');
      stage.note(`wrote nonsense over the record of ${id}`);
    };
    return { what: `garbage over ${id}`, run };
  },
};
