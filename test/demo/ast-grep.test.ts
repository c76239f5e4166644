import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAstGrep } from '../../lib/cli/demo/ast-grep.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'orch-ast-grep-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('findAstGrep', () => {
  it('finds a program that runs', async () => {
    const path = await findAstGrep();
    expect(isAbsolute(path)).toBe(true);
    expect(execFileSync(path, ['--version'], { encoding: 'utf8' })).toMatch(/^ast-grep \d/);
  });

  it('says NO_TOOL with a hint where the package is not installed', async () => {
    const from = pathToFileURL(join(dir, 'dist/chunks/demo.js')).href;
    await expect(findAstGrep(from)).rejects.toMatchObject({ code: 'NO_TOOL', hint: expect.any(String) });
  });

  it('does not take a stub, which no postinstall has replaced, for the program', async () => {
    const cli = join(dir, 'stub/node_modules/@ast-grep/cli');
    mkdirSync(cli, { recursive: true });
    writeFileSync(join(cli, 'package.json'), '{"name": "@ast-grep/cli"}');
    writeFileSync(join(cli, 'ast-grep'), 'This file is replaced by postinstall.js\n', { mode: 0o755 });
    const from = pathToFileURL(join(dir, 'stub/dist/orch.js')).href;
    await expect(findAstGrep(from)).rejects.toMatchObject({ code: 'NO_TOOL' });
  });
});
