import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { probeLimitMark, probeNamespace } from '../../lib/process/tiers.ts';
import { endAll, makeFolder } from './rig.ts';

afterEach(endAll);

/** Puts a program of that name before all others; it counts its calls in a file, whose path is returned. */
function shadow(name: string, script: string): string {
  const folder = makeFolder();
  const [bin, calls] = [join(folder, 'bin'), join(folder, 'calls')];
  mkdirSync(bin);
  writeFileSync(join(bin, name), `#!/bin/sh\necho call >> ${calls}\n${script}\n`, { mode: 0o755 });
  const path = process.env['PATH'] ?? '';
  process.env['PATH'] = `${bin}:${path}`;
  onTestFinished(() => {
    process.env['PATH'] = path;
  });
  return calls;
}

const callsIn = (path: string): number => readFileSync(path, 'utf8').trim().split('\n').length;

describe.runIf(process.platform === 'linux')('a probe of what the machine offers', () => {
  it('that somebody else ended is made once more', async () => {
    const calls = shadow('prlimit', '[ "$(wc -l < "$(dirname "$0")/../calls")" -gt 1 ] || kill -TERM $$');
    expect(await probeLimitMark()).toMatchObject({ offered: true });
    expect(callsIn(calls)).toBe(2);
  });

  it('that is ended each time names the signal', async () => {
    const calls = shadow('setpriv', 'kill -TERM $$');
    expect(await probeNamespace()).toEqual({ offered: false, why: 'setpriv: ended by SIGTERM' });
    expect(callsIn(calls)).toBe(2);
  });
});
