import { chmodSync, existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, vi } from 'vitest';
import { probeLimitMark, probeNamespace } from '../../lib/process/tiers.ts';
import { expectPage, type Fates, KINDS } from '../containment/page.ts';
import { killHard, orchestratorOf, tool } from '../rig/ledger.ts';
import { type Finished, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';
import { startUserManager, type UserManager, whyNoUserManager } from '../rig/user-manager.ts';

/**
 * Lets processes loose that try to get away, in each tier and at each kind of end, and sees which of them are dead.
 * They are known by locks that they hold, which no namespace hides.
 */

vi.setConfig({ testTimeout: 600_000 });

const BOUND_MS = 240_000;
const IDS = ['ends', 'stopped', 'killed'] as const;

type Orch = (args: readonly string[]) => Promise<Finished>;

async function isHeld(path: string): Promise<boolean> {
  const { exitCode } = await execa('flock', ['--nonblock', path, 'true'], { reject: false });
  return exitCode === 1;
}

/** Ends who still holds a lock, by PID: what orch missed must not stay on the machine. */
async function endHolders(folder: string): Promise<void> {
  const holders = (): number[] =>
    readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return [];
      try {
        const files = readdirSync(`/proc/${name}/fd`).map((fd) => readlinkSync(`/proc/${name}/fd/${fd}`));
        return files.some((file) => file.startsWith(`${folder}/`)) ? [Number(name)] : [];
      } catch (error) {
        if (!['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        return [];
      }
    });
  await until(
    () => {
      const left = holders();
      for (const pid of left) signal(pid, 'SIGKILL');
      return left.length === 0;
    },
    { what: 'the end of the zoo' },
  );
}

async function deadIn(folder: string): Promise<Map<string, boolean>> {
  const dead = new Map<string, boolean>();
  for (const name of KINDS.keys()) dead.set(name, !(await isHeld(join(folder, name))));
  return dead;
}

function zooRig(containment: string): Rig {
  const keep = (id: string): string => (id === 'ends' ? 'leave' : 'stay');
  const workstreams = IDS.map((id) => ({
    id,
    tasks: [{ run: `python3 ${tool('zoo.py')} "$ORCH_ROOT.aside/${id}" ${keep(id)}` }],
    acceptance_tests: [{ run: 'true' }],
  }));
  const config = JSON.stringify({ containment, restart: 0 });
  return rigOf({ workstreams }, { 'README.md': 'x', 'orch.config.json': config });
}

/** What is dead after each of the three ends, with the processes of all three at work at once. */
async function fatesOf(rig: Rig, orch: Orch, text: string): Promise<Fates> {
  const folder = (id: string): string => join(rig.aside, id);
  try {
    expect(await orch(['launch'])).toMatchObject({ code: 0 });
    for (const id of IDS) {
      const ready = join(folder(id), '_ready');
      await until(() => existsSync(ready), { what: `the zoo of ${id}`, boundMs: BOUND_MS });
      expect(rig.record(id)).toMatchObject({ containment: text });
    }
    for (const id of ['stopped', 'killed'])
      expect([...(await deadIn(folder(id))).values()]).toEqual([...KINDS].map(() => false));

    await until(() => rig.status('ends') === 'completed', { what: 'its end', boundMs: BOUND_MS });
    const ends = await deadIn(folder('ends'));

    expect(await orch(['stop', 'stopped', '--grace', '120s'])).toMatchObject({ code: 0 });
    const stopped = await deadIn(folder('stopped'));

    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('killed'));
    expect(await orch(['reap'])).toMatchObject({ code: 0 });
    const killed = await deadIn(folder('killed'));
    expect(rig.record('killed')).toMatchObject({ status: 'crashed', reason: { code: 'lost' } });

    const isDead = (some: Map<string, boolean>, name: string): boolean => some.get(name) === true;
    return new Map(
      [...KINDS.keys()].map((name) => [
        name,
        { ends: isDead(ends, name), stopped: isDead(stopped, name), killed: isDead(killed, name) },
      ]),
    );
  } finally {
    await endHolders(rig.aside);
  }
}

const survivors = (fates: Fates): string[] =>
  [...fates].flatMap(([name, { ends, stopped, killed }]) => (ends && stopped && killed ? [] : [name]));

/** A PATH on which `prlimit` fails, as on a machine that has none. */
function pathWithout(rig: Rig, program: string): string {
  const bin = join(rig.aside, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, program), '#!/bin/sh\nexit 1\n');
  chmodSync(join(bin, program), 0o755);
  return `${bin}:${process.env['PATH'] ?? ''}`;
}

const SWEEP = 'session+marker+cwd';
const MARKED = 'session+marker+limit+cwd';

/** Without the mark of the sweep, so that the tier shows what it can do by itself. */
async function inScopes(): Promise<Fates | null> {
  const why = whyNoUserManager();
  if (why !== null) return skipped('scope', why);
  const manager: UserManager = await startUserManager();
  try {
    const rig = zooRig('scope');
    const env = { PATH: pathWithout(rig, 'prlimit') };
    return await fatesOf(rig, (args) => manager.orch(rig, args, env), `scope+${SWEEP}`);
  } finally {
    await manager.end();
  }
}

async function inNamespaces(): Promise<Fates | null> {
  const offer = await probeNamespace();
  if (!offer.offered) return skipped('pid_namespace', offer.why);
  const rig = zooRig('pid_namespace');
  const env = { PATH: pathWithout(rig, 'prlimit') };
  return fatesOf(rig, (args) => rig.orch(args, { env }), `pid_namespace+${SWEEP}`);
}

function skipped(tier: string, why: string): null {
  process.stderr.write(`SKIPPED: the zoo in the tier ${tier}: ${why}\n`);
  return null;
}

describe.runIf(process.platform === 'linux')('the escape zoo', () => {
  it('is caught as docs/containment.md says', async () => {
    const offer = await probeLimitMark();
    const marked = zooRig('sweep');
    const plain = zooRig('sweep');
    const env = { PATH: pathWithout(plain, 'prlimit') };
    const columns = new Map<string, Fates | null>([
      ['`scope`', await inScopes()],
      ['`pid_namespace`', await inNamespaces()],
      ['`sweep`', offer.offered ? await fatesOf(marked, marked.orch, MARKED) : skipped('sweep', offer.why)],
      ['`sweep` without `prlimit`', await fatesOf(plain, (args) => plain.orch(args, { env }), SWEEP)],
    ]);
    for (const [title, fates] of columns) {
      if (fates === null) continue;
      // The gap that the mark closes, and the only one that may be there.
      const expected = title.includes('without') ? ['all_at_once'] : [];
      expect([title, survivors(fates)]).toEqual([title, expected]);
    }
    expectPage(columns);
  });
});
