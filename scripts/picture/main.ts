import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toSvg } from './svg.ts';
import { openTerminal } from './terminal.ts';

/**
 * Makes docs/picture.svg of what a terminal really shows: `npx tsx scripts/picture/main.ts [ORCH [SVG]]`. The demo is
 * started and left with Ctrl+C, polled, and watched again to its end. Needs tmux, and a built orch.
 */

const SIZE = { columns: 100, rows: 44 };
const LAST_LINES = 9;
const BOUND_MS = 120_000;

const home = join(import.meta.dirname, '../..');
const [orch = join(home, 'dist/orch.js'), svg = join(home, 'docs/picture.svg')] = process.argv.slice(2);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'night-')));
const bin = join(folder, 'bin');
mkdirSync(bin);
writeFileSync(join(bin, 'orch'), `#!/bin/sh\nexec "${process.execPath}" "${orch}" "$@"\n`);
chmodSync(join(bin, 'orch'), 0o755);
const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, PS1: '$ ', HOME: folder, TERM: 'screen-256color' };
const terminal = openTerminal(SIZE, folder, env);

try {
  await terminal.clear();
  await terminal.type('orch demo --dir shop');
  await terminal.until(/logger running 2\/6/, BOUND_MS);
  terminal.press('C-c');
  await terminal.until(/Stopped watching/, BOUND_MS);
  await terminal.type('cd shop');
  await terminal.type('orch status');
  await terminal.until(/7 workstreams: /, BOUND_MS);
  const first = terminal.screen();
  await terminal.clear();
  await terminal.type('orch reattach');
  await terminal.until(/\d of 7 completed/, BOUND_MS);
  await terminal.type('git log --oneline -3 orch/release');
  const last = terminal.screen().slice(-LAST_LINES);
  const screens = [first.filter((line) => line !== '$ '), ['$ orch reattach', '…', ...last]];
  writeFileSync(svg, toSvg(screens, SIZE.columns, 'orch demo: left, polled, and watched again'));
} finally {
  terminal.end();
  // Where something went wrong, workers may still be at it.
  spawnSync(process.execPath, [orch, 'stop', '--all', '--quiet', '--root', join(folder, 'shop')]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
