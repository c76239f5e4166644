import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { errnoOf } from '../../lib/errors.ts';
import { cgroupMount, killScope } from '../../lib/process/cgroup.ts';
import { killKin } from '../../lib/process/kill.ts';
import { findKin, type Kin } from '../../lib/process/kin.ts';
import { limitMark, mayBeMark, scopeFolder, scopeOf, scopeUnit } from '../../lib/process/scope-unit.ts';
import { createToken, probe } from '../../lib/process/system.ts';
import { endAll, eventually, isGone, makeFolder, pidIn, start } from './rig.ts';

/** The marks that a command cannot shed by accident, in names and in a real cgroup v2 tree. */

afterEach(endAll);

const anyToken = fc.stringMatching(/^[0-9a-f]{32}$/);
const anyId = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,98}[A-Za-z0-9]$/)
  .filter((id) => !id.includes('..'));

describe('the name of a scope', () => {
  it('tells whose it is, to the repository that it was made for and to no other', () => {
    fc.assert(
      fc.property(anyId, fc.nat(), anyToken, fc.nat(), (workstream, attempt, token, number) => {
        const unit = scopeUnit({ root: '/a', workstream, attempt, token }, number);
        expect(unit.length).toBeLessThanOrEqual(255);
        for (const path of [`/app.slice/${unit}`, `/x/${unit}/inner`]) {
          expect(scopeOf('/a', path)).toEqual({ workstream, token });
          expect(scopeOf('/b', path)).toBe(null);
          expect(scopeFolder(path)?.endsWith(unit)).toBe(true);
        }
      }),
    );
    for (const path of [null, '/', '/user.slice/orch-x.scope', '/init.scope'])
      expect(scopeOf('/a', path)).toBe(null);
  });

  it('and the limit are as unique as the token', () => {
    fc.assert(
      fc.property(anyToken, anyToken, (a, b) => {
        expect(mayBeMark(limitMark(a) ?? '')).toBe(true);
        expect(limitMark(a) === limitMark(b)).toBe(a.slice(0, 15) === b.slice(0, 15));
      }),
    );
    for (const limit of ['unlimited', '0', '18446744073709551615', '2305843009213693951'])
      expect(mayBeMark(limit)).toBe(false);
    for (const token of ['', 'short', 'G'.repeat(32)]) expect(limitMark(token)).toBe(null);
  });
});

/** False while somebody is in it. */
function isRemoved(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EBUSY') return false;
    throw error;
  }
}

const mount = process.getuid?.() === 0 && process.platform === 'linux' ? cgroupMount() : null;
if (mount === null) process.stderr.write('SKIPPED: scopes in cgroup v2: not root, or not mounted\n');

describe.skipIf(mount === null)('a scope in cgroup v2', () => {
  const place = mount?.place ?? '';

  function makeScope(root: string): { path: string; folder: string } {
    const unit = scopeUnit({ root, workstream: 'A', attempt: 1, token: createToken() }, 1);
    const folder = join(place, unit);
    mkdirSync(folder);
    onTestFinished(async () => {
      // Who is about to end is in no list any more, and yet keeps the folder for a moment.
      await eventually('the end of the scope', () => isRemoved(folder));
    });
    return { path: `${mount?.root === '/' ? '' : mount?.root}/${unit}`, folder };
  }

  /** Without environment, in a session of its own, orphaned, outside of every worktree. */
  async function escapeInto(folder: string, aside: string, script = 'exec sleep 120'): Promise<number> {
    const file = join(aside, `pid-${createToken()}`);
    const inner = `echo $$ > "$0/cgroup.procs"; echo $$ > "$1"; ${script}`;
    const outer = 'cd / && env -i setsid sh -c "$0" "$1" "$2" > /dev/null 2>&1 &';
    await start('sh', ['-c', outer, inner, folder, file]);
    return pidIn(file);
  }

  const orphansOf = (root: string) => async (): Promise<Kin[]> => (await findKin(root, [])).kin;

  it('is proof enough, and is killed with all that forks in it', async () => {
    const [root, aside] = [makeFolder(), makeFolder()];
    const { path, folder } = makeScope(root);
    const plain = await escapeInto(folder, aside);
    // Forks on and on: whoever kills one by one is always late. It ends by itself after 2,000 rounds.
    const forks = 'go() { [ "$1" -gt 2000 ] || { sleep 0.01; go $(($1 + 1)) & }; }; go 0';
    await escapeInto(folder, aside, `${forks}; exec sleep 120`);
    const { kin } = await findKin(root, []);
    expect(kin.find(({ pid }) => pid === plain)).toMatchObject({
      proof: 'scope',
      workstream: 'A',
      scope: path,
    });
    expect((await findKin(makeFolder(), [])).kin).toEqual([]);
    const signals: string[] = [];
    const { left } = await killKin(orphansOf(root), {
      graceMs: 0,
      boundMs: 20_000,
      onSignal: (one, signal) => void signals.push(`${one.pid} ${signal}`),
    });
    expect(left).toEqual([]);
    expect(await isGone(plain)).toBe(true);
    expect(readFileSync(join(folder, 'cgroup.procs'), 'utf8')).toBe('');
    // By the one order for all: nobody had to be stopped first.
    expect(signals).toContain(`${plain} SIGKILL`);
    expect(signals.filter((one) => one.endsWith('SIGSTOP'))).toEqual([]);
  });

  it('is not killed whole while somebody in it is not ours, and thaws again', async () => {
    const [root, aside] = [makeFolder(), makeFolder()];
    const { path, folder } = makeScope(root);
    const ours = await escapeInto(folder, aside);
    const file = join(aside, 'stranger');
    const marks = { PATH: process.env['PATH'] ?? '', ORCH_ROOT: '/another', ORCH_TOKEN: createToken() };
    const script = 'echo $$ > "$0/cgroup.procs"; echo $$ > "$1"; exec sleep 120';
    const { pid: stranger } = await start('sh', ['-c', script, folder, file], { env: marks });
    await pidIn(file);
    // In the middle of exec it has no marks to show.
    await eventually('sleep', async () => {
      const info = await probe(stranger);
      return typeof info !== 'string' && info.command === 'sleep 120';
    });
    const { killed, left } = await killKin(orphansOf(root), { graceMs: 0, boundMs: 20_000 });
    expect([killed.map(({ pid }) => pid), left]).toEqual([[ours], []]);
    expect(await isGone(stranger)).toBe(false);
    expect(readFileSync(join(folder, 'cgroup.events'), 'utf8')).toContain('frozen 0');
    expect((await killScope(path, async () => false)).size).toBe(0);
    expect((await killScope('/', async () => true)).size).toBe(0);
    expect(await isGone(stranger)).toBe(false);
  });
});
