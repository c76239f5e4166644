import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readLines } from '../../lib/process/channel.ts';
import { type GatedChild, spawnGated } from '../../lib/process/spawn.ts';
import { bundle, endAll, eventually, isGone, makeFolder, program, track } from './rig.ts';

let modules: Record<string, string> = {};
let built = '';

beforeAll(async () => {
  built = mkdtempSync(join(tmpdir(), 'orch-bundle-'));
  modules = await bundle(built, 'gate', 'channel');
});
afterAll(() => rmSync(built, { recursive: true, force: true }));
afterEach(endAll);

async function begin(what: string): Promise<{ child: GatedChild; state: () => string }> {
  const folder = makeFolder();
  const file = join(folder, 'state');
  const child = await spawnGated({
    script: program('tells.mjs'),
    args: [modules['gate'] ?? '', file, modules['channel'] ?? '', what],
    cwd: folder,
    env: { PATH: process.env['PATH'] },
    outPath: join(folder, 'out'),
    errPath: join(folder, 'err'),
    mode: 'attached',
  });
  await track(child.pid);
  await child.open();
  return { child, state: () => (existsSync(file) ? readFileSync(file, 'utf8') : '') };
}

describe('the channel of an attached child', () => {
  it('holds nobody up whose reader does not read, and keeps the newest', async () => {
    const { child, state } = await begin('flood');
    await eventually('the end of the flood', () => state().startsWith('told'), 30_000);
    // 100 MB were told.
    expect(Number(state().split(' ')[1])).toBeLessThan(60);
    const seen: number[] = [];
    child.onLine(2_048, (line) => seen.push(Number.parseInt(line, 10)));
    await eventually('the newest', () => seen.at(-1) === 100_000);
    expect(seen.length).toBeLessThan(10_000);
  });

  it('passes over what is too long', async () => {
    const { child } = await begin('garbage');
    const seen: string[] = [];
    child.onLine(2_048, (line) => seen.push(line));
    await eventually('the last line', () => seen.includes('last'));
    expect(seen).toEqual(['no json', 'last']);
  });

  it('tells the child by its end that nobody listens any more', async () => {
    const { child, state } = await begin('none');
    await child.abandon();
    await eventually('the loss', () => state() === 'lost\n');
    await eventually('the end of the child', () => isGone(child.pid));
  });

  it('is not handed down to what the child starts', async () => {
    const { state } = await begin('inherit');
    await eventually('the list', () => state().includes('PATH='));
    expect(state()).toMatch(/^none\n/);
    expect(state()).not.toContain('CHANNEL');
  });
});

it('reads lines as they are cut anywhere', async () => {
  const stream = new PassThrough();
  const seen: string[] = [];
  readLines(stream, 5, (line) => seen.push(line));
  for (const part of ['ab', 'c\nd', 'ef\n1234', '56\n', 'x', '\n\n']) stream.write(part);
  await eventually('the last line', () => seen.includes('x'));
  expect(seen).toEqual(['abc', 'def', 'x']);
});
