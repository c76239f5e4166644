import { existsSync, readFileSync } from 'node:fs';
import { recordPath } from '../../protocol/layout.ts';
import { parseRecord } from '../../protocol/parse.ts';
import { isFinal } from '../../protocol/status.ts';
import { probe } from '../../process/system.ts';
import type { TornRead } from '../evidence.ts';
import { listOurs } from './processes.ts';
import type { Stage } from './stage.ts';

export type Fault = { guarantee: number | null; what: string };

export type Judged = { attempts: number; checks: Record<number, number>; faults: Fault[] };

export async function lookBefore(_stage: Stage): Promise<null> {
  return null;
}

export async function judgeRound(stage: Stage, facts: { before: null; torn: TornRead[]; restartLimit: number }): Promise<Judged> {
  const faults: Fault[] = [];
  let attempts = 0;
  for (const id of stage.ids) {
    const path = recordPath(stage.shop.root, id);
    if (!existsSync(path)) { faults.push({ guarantee: 2, what: `${id} has no record` }); continue; }
    const p = parseRecord(readFileSync(path, 'utf8'));
    if (p.kind !== 'record') { faults.push({ guarantee: 2, what: `${id} is ${p.kind}` }); continue; }
    attempts += p.record.attempt;
    if (!isFinal(p.record, facts.restartLimit)) faults.push({ guarantee: 2, what: `${id} is ${p.record.status}` });
  }
  for (const t of facts.torn) faults.push({ guarantee: 6, what: JSON.stringify(t) });
  for (const o of await listOurs(stage.mark)) faults.push({ guarantee: 4, what: `left ${JSON.stringify(o)}` });
  for (const b of stage.bystanders) {
    const i = await probe(b.pid);
    if (i === 'gone') faults.push({ guarantee: 5, what: `${b.what} is gone` });
  }
  return { attempts, checks: {}, faults };
}
