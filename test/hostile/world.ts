import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import type { Rig } from '../rig/repository.ts';
import { BYTES, type Spoil, spoil, spoiled, TEXTS } from './corpora.ts';

/** State folders as somebody with bad intent might leave them: anything at any place that orch reads. */

const KINDS = [
  'spoiled',
  'spoiled',
  'spoiled',
  'sound',
  'bytes',
  'folder',
  'full folder',
  'pipe',
  'socket',
  'link to a file',
  'link to a folder',
  'link to an empty folder',
  'link to nothing',
  'link to itself',
  'link to a device',
  'large',
] as const;
type Kind = (typeof KINDS)[number];

export type Thing = { place: string; kind: Kind; spoils: Spoil[]; bytes: Buffer };

const IDS = ['A', 'B', 'a', 'foreign'] as const;
const OF_ID = [
  '.status/ID.json',
  '.status/ID.json',
  '.status/ID.json',
  '.status/ID.heartbeat',
  '.status/ID.stop',
  '.status/ID.history.ndjson',
  '.status/ID.json.77',
  '.status/ID.stop.1234567890',
  '.pids/ID.pid',
  '.pids/ID.pid.4',
  '.logs/ID.log',
  '.logs/ID.err',
  '.worktrees/ID',
];
/** Rarer: a lock that nobody may break is waited for. */
const SLOW = ['.status/ID.lock', '.status/_git.lock', '.status/_orchestrator.lock'];
const OWN = [
  '.status/_plan.json',
  '.status/_plan.json',
  '.status/_plan.json',
  '.status/_orchestrator.json',
  '.status/_hold.json',
  '.status/_hold.json.5',
  '.pids/_orchestrator.pid',
  '.logs/_events.ndjson',
  '.logs/_orchestrator.log',
];
const HOSTILE = TEXTS.filter((text) => text !== '' && !/[/\0]/.test(text) && text.length < 200);
const NAMES = HOSTILE.flatMap((name) => [
  `.status/${name}.json`,
  `.status/${name}.json.12`,
  `.status/${name}.lock`,
  `.status/A.lock.${'0123456789abcdef'.repeat(2)}`,
  `.pids/${name}.pid`,
]).filter((path) => !/\/(?:\.\.?|[Aa])(?:\.json|\.lock|\.pid)$/.test(path));

const forIds = (places: readonly string[]): string[] =>
  places.flatMap((place) => IDS.map((id) => place.replace('ID', id)));

const place = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...forIds(OF_ID)) },
  { weight: 12, arbitrary: fc.constantFrom(...OWN) },
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...forIds(SLOW)) },
);
const thing: fc.Arbitrary<Thing> = fc.record({
  place,
  kind: fc.constantFrom(...KINDS),
  spoils: fc.array(spoil, { minLength: 1, maxLength: 4 }),
  bytes: fc.constantFrom(...BYTES),
});

/** What is laid over a sound state: up to a dozen things, each at its own place. */
export const things: fc.Arbitrary<Thing[]> = fc.uniqueArray(thing, {
  minLength: 1,
  maxLength: 12,
  selector: (one) => one.place,
});

/** The sound texts of a run in which A was completed, B crashed, and a foreign program reports. */
export type Sound = ReadonlyMap<string, unknown>;

/** Puts `one` where it belongs, in place of whatever is there. */
export async function put(rig: Rig, sound: Sound, one: Thing): Promise<void> {
  const path = join(rig.root, one.place);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const outside = (name: string): void => symlinkSync(join(rig.aside, name), path);
  switch (one.kind) {
    case 'spoiled':
      return writeFileSync(path, spoiledText(one, sound));
    case 'sound':
      return writeFileSync(path, textOf(sound.get(one.place) ?? { status: 'running' }));
    case 'bytes':
      return writeFileSync(path, one.bytes);
    case 'large':
      return writeFileSync(path, `{"status": "running", "x": "${'x'.repeat(3 * 1024 * 1024)}"}`);
    case 'folder':
      return mkdirSync(path);
    case 'full folder':
      mkdirSync(path);
      return writeFileSync(join(path, 'a\nb\u001b[2J'), '');
    case 'pipe':
      return void execFileSync('mkfifo', [path]);
    case 'socket':
      return await leaveSocket(path);
    case 'link to a file':
      return outside('folder/secret.json');
    case 'link to a folder':
      return outside('folder');
    case 'link to an empty folder':
      return outside('empty');
    case 'link to nothing':
      return outside('absent');
    case 'link to itself':
      return symlinkSync(path, path);
    case 'link to a device':
      return symlinkSync('/dev/zero', path);
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function spoiledText({ place: at, spoils }: Thing, sound: Sound): string {
  const value = sound.get(at) ?? sound.get('.status/B.json');
  if (typeof value !== 'string') return spoiled(value, spoils);
  return value
    .split('\n')
    .map((line) => (line === '' ? '' : spoiled(JSON.parse(line), spoils)))
    .join('\n');
}

/** A socket that nobody listens at any more: longer paths than a socket may have are left out. */
async function leaveSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > 100) return;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(`${path}`, resolve);
  });
  // To close it would remove it.
  const moved = `${path}.s`;
  const { renameSync } = await import('node:fs');
  renameSync(path, moved);
  await new Promise((resolve) => server.close(resolve));
  renameSync(moved, path);
}
