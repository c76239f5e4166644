import { readFileSync } from 'node:fs';
import { errnoOf } from '../../errors.ts';
import { recordPath } from '../../protocol/layout.ts';
import { parseRecord } from '../../protocol/parse.ts';
import type { TornRead } from '../evidence.ts';
import type { Stage } from './stage.ts';

const EVERY_MS = 12;
const TEXT_KEPT = 300;

/** A stranger's monitor: reads every record, again and again, and keeps what it could not parse. */
export function readAllTheTime(stage: Stage): { torn: TornRead[]; reads: () => number; stop: () => void } {
  const torn: TornRead[] = [];
  let reads = 0;
  const look = (): void => {
    for (const id of stage.ids) {
      const text = textOf(recordPath(stage.shop.root, id));
      if (text === null || stage.excuses.has(`garbage:${id}`)) continue;
      reads += 1;
      const why = faultOf(text);
      if (why !== null) torn.push({ workstream: id, text: text.slice(0, TEXT_KEPT), why });
    }
  };
  const timer = setInterval(look, EVERY_MS);
  return { torn, reads: () => reads, stop: () => clearInterval(timer) };
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}

function faultOf(text: string): string | null {
  const parsed = parseRecord(text);
  return parsed.kind === 'record' ? null : `it is ${parsed.kind}`;
}
