import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { OrchError } from '../../errors.ts';
import { GENTLE } from '../../proof/chaos/gentle.ts';
import { killsOf, type Proof, prove } from '../../proof/chaos/proof.ts';
import { GUARANTEES } from '../../proof/judge.ts';
import { interruptSignal } from '../interrupt.ts';
import { painter, screenOf } from '../render.ts';

export type ChaosArgs = {
  minutes: number;
  seed: number | undefined;
  json: boolean;
  quiet: boolean;
  color: boolean;
};

const SECONDS = 60;

/**
 * `orch doctor --chaos`: kills and freezes workers, orchestrators and commands of repositories of its own in the
 * temporary folder, and shows whether the guarantees held on this machine. Exit code 0, 1, or 130.
 */
export async function proveHere(args: ChaosArgs): Promise<number> {
  const { minutes, seed = Date.now() % 2 ** 31 } = args;
  if (!(minutes > 0 && minutes <= 24 * SECONDS)) {
    throw new OrchError('USAGE', '--minutes needs a number above 0', { hint: 'For example: --minutes 2' });
  }
  const signal = interruptSignal();
  const isShown = !args.json && !args.quiet && process.stderr.isTTY === true;
  const proof = await prove({
    seed,
    forMs: minutes * SECONDS * 1_000,
    lanes: Math.min(availableParallelism(), 3),
    orch: realpathSync(process.argv[1] ?? ''),
    actions: GENTLE,
    signal,
    ...(isShown ? { onProgress: showProgress } : {}),
  });
  if (isShown) process.stderr.write(CLEAR_LINE);
  if (signal.aborted) return 130;
  const isSound = proof.faults.length === 0 && proof.rounds > 0;
  if (args.json) process.stdout.write(`${JSON.stringify(asJson(proof, isSound))}\n`);
  else process.stdout.write(textOf(proof, isSound, args));
  return isSound ? 0 : 1;
}

const CLEAR_LINE = '\r\u001b[K';

function showProgress(proof: Proof): void {
  const { seconds, rounds, workstreams, faults } = proof;
  process.stderr.write(
    `${CLEAR_LINE}${seconds.toFixed(0)} s: ${rounds} rounds, ${workstreams} workstreams, ${killsOf(proof)} kills, ${faults.length} violations`,
  );
}

const guarantees = () => Object.entries(GUARANTEES);

function brokenOf({ faults }: Proof, guarantee: string): string[] {
  return faults.flatMap((fault) => (String(fault.guarantee) === guarantee ? [fault.what] : []));
}

function asJson(proof: Proof, isSound: boolean) {
  const { seed, seconds, rounds, workstreams, attempts, tally, facts, faults, kept } = proof;
  return {
    schema: 'orch.proof/1',
    ok: isSound,
    seed,
    seconds,
    rounds,
    workstreams,
    attempts,
    ...tally,
    guarantees: guarantees().map(([guarantee, text]) => {
      const violations = brokenOf(proof, guarantee);
      return { guarantee: Number(guarantee), text, facts: facts[guarantee] ?? 0, violations };
    }),
    other: faults.flatMap(({ guarantee, what }) => (guarantee === null ? [what] : [])),
    kept,
  };
}

const TEXT_CELLS = 56;
const COUNT_CELLS = 8;

function listed(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return sorted.map(([name, by]) => `${name} ${by}`).join(', ');
}

function textOf(proof: Proof, isSound: boolean, { color }: ChaosArgs): string {
  const { seed, seconds, rounds, workstreams, attempts, tally, facts, faults, kept } = proof;
  const paint = painter(screenOf(color));
  const rows = guarantees().map(([guarantee, text]) => {
    const broken = brokenOf(proof, guarantee).length;
    const verdict = broken > 0 ? paint('red')(`broken ${broken}×`) : paint('green')('held');
    const known = String(facts[guarantee] ?? 0).padStart(COUNT_CELLS);
    return `  ${guarantee}  ${text.padEnd(TEXT_CELLS)}${known}  ${verdict}`;
  });
  const found = faults.map(({ guarantee, round, what }) => `  ${guarantee ?? '-'}  round ${round}: ${what}`);
  return [
    `${rounds} rounds in ${seconds.toFixed(0)} s: ${workstreams} workstreams, ${attempts} attempts`,
    '',
    `  killed with SIGKILL: ${killsOf(proof)} (${listed(tally.kills)})`,
    `  also: ${listed(tally.deeds)}`,
    '',
    `     ${'GUARANTEE'.padEnd(TEXT_CELLS)}${'FACTS'.padStart(COUNT_CELLS)}  VERDICT`,
    ...rows,
    '',
    ...(found.length > 0 ? ['Violations:', ...found, ''] : []),
    ...kept.map((folder) => `Kept for looking: ${folder}`),
    isSound
      ? 'All guarantees held on this machine.'
      : `They did not hold. Repeat the decisions: orch doctor --chaos --seed ${seed}`,
    '',
  ].join('\n');
}
