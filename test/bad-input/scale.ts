import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { json, type Shown } from '../rig/ledger.ts';
import type { Rig } from '../rig/repository.ts';
import { type Row, within, works } from './table.ts';

/** Many of them: bounded time, and nothing is lost. */

const MANY = 1_000;

/** A plan of 1,000 workstreams: shown, launched and stopped. */
export async function manyWorkstreams(rig: Rig): Promise<Row[]> {
  const plan = Array.from({ length: MANY }, (_, at) => ({ id: `WS-${at}`, tasks: [{ run: 'sleep 600' }] }));
  rig.write('many.json', JSON.stringify(plan));
  const what = 'a plan of 1,000 workstreams';
  const dry = await works(rig, { what, args: ['launch', 'many.json', '--dry-run'] }, undefined, 30_000);
  const args = ['launch', 'many.json', '--max-parallel', '1'];
  const waiting = 'One begins, the others wait for their turn.';
  const launched = await works(rig, { what, args }, waiting, 120_000);
  const none = 'All are stopped, and none begins.';
  const stopped = await works(rig, { what, args: ['stop', '--all'] }, none, 120_000);
  const shown = await within(30_000, () => rig.orch(['status', '--json']));
  expect(json<Shown>(shown).summary).toEqual({ total: MANY, stopped: MANY });
  return [dry, launched, stopped];
}

const RECORDS = 10_000;

/** 10,000 records: looked at in bounded time. */
export async function manyRecords(rig: Rig): Promise<Row[]> {
  mkdirSync(join(rig.root, '.status'));
  for (let at = 0; at < RECORDS; at += 1) {
    const status = at % 2 === 0 ? 'completed' : 'running';
    writeFileSync(
      join(rig.root, `.status/F-${at}.json`),
      `{"status": "${status}", "progress": "1/4", "last_update": 1}`,
    );
  }
  const what = '10,000 records';
  const shown = await within(60_000, () => rig.orch(['status', '--json']));
  expect(json<Shown>(shown).summary).toEqual({
    total: RECORDS,
    completed: RECORDS / 2,
    unknown: RECORDS / 2,
  });
  return [
    await works(rig, { what, args: ['status'] }, undefined, 60_000),
    await works(rig, { what, args: ['status', 'F-9998'] }, undefined, 60_000),
    await works(rig, { what, args: ['reap'] }, undefined, 60_000),
  ];
}
