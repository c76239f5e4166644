import { appendFileSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { statusDir } from '../../lib/protocol/layout.ts';
import { BOUND_MS, json } from '../rig/ledger.ts';
import { until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

type Proof = {
  ok: boolean;
  rounds: number;
  kills: Record<string, number>;
  guarantees: { guarantee: number; facts: number; violations: string[] }[];
  other: string[];
  kept: string[];
};

const PROOF_MS = 240_000;
const ARGS = ['doctor', '--chaos', '--minutes', '0.1', '--seed', '4', '--json'];

/** The temporary folder of one proof. */
function makeTemp(): string {
  const temp = realpathSync(mkdtempSync(join(tmpdir(), 'orch-doctor-')));
  onTestFinished(() => rmSync(temp, { recursive: true, force: true }));
  return temp;
}

/** The repository of a round, once orch is at work in it. */
function repositoryIn(temp: string): string | undefined {
  const rounds = readdirSync(temp).map((name) => join(temp, name));
  const roots = rounds.flatMap((round) => readdirSync(round).map((name) => join(round, name)));
  return roots.find((root) => existsSync(statusDir(root)));
}

describe('orch doctor --chaos', { timeout: PROOF_MS }, () => {
  it('shows that the guarantees hold, and leaves nothing behind', async () => {
    const temp = makeTemp();
    const finished = await rigOf().orch(ARGS, { env: { TMPDIR: temp } });
    const proof = json<Proof>(finished);
    expect(proof).toMatchObject({ ok: true, other: [], kept: [] });
    expect(finished.code).toBe(0);
    expect(proof.rounds).toBeGreaterThan(0);
    expect(Object.values(proof.kills).length).toBeGreaterThan(0);
    expect(proof.guarantees.map(({ guarantee }) => guarantee)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const { facts } of proof.guarantees) expect(facts).toBeGreaterThan(0);
    expect(readdirSync(temp)).toEqual([]);
  });

  it('fails where a guarantee is broken, and keeps the repository', async () => {
    const temp = makeTemp();
    const proof = rigOf().start(ARGS, { TMPDIR: temp });
    const root = await until(() => repositoryIn(temp), { what: 'a round to begin', boundMs: BOUND_MS });
    // As if orch had touched a file of the user.
    appendFileSync(join(root, 'README.md'), 'planted\n');
    const finished = await proof.finished;
    expect(finished.code).toBe(1);
    const { ok, guarantees, kept } = json<Proof>(finished);
    expect(ok).toBe(false);
    expect(guarantees.find(({ guarantee }) => guarantee === 7)?.violations).not.toEqual([]);
    expect(kept.some((folder) => root.startsWith(`${folder}/`))).toBe(true);
    expect(existsSync(join(root, 'README.md'))).toBe(true);
  });
});
