import { backend } from '../process/system.ts';
import {
  type Offer,
  probeBwrap,
  probeLimitMark,
  probeNamespace,
  probeScope,
  type ScopeOffer,
} from '../process/tiers.ts';
import { containmentText, type Limits, type Sandbox, type Tier } from '../protocol/containment.ts';
import type { PlannedWorkstream, PlanOptions } from '../protocol/plan.ts';
import type { Reason } from '../protocol/status.ts';

/** What a workstream asks for, and what this machine can give: chosen at each launch, refused where it cannot. */

type Asked = Pick<PlanOptions, 'containment' | 'limits' | 'sandbox'>;
type AskedOf = Pick<PlannedWorkstream, 'limits' | 'sandbox'>;

export type Choice =
  /** `text` is for the record; `unenforced` are limits that the plan can do without. */
  { ok: true; tier: Tier; text: string; unenforced: string | null } | { ok: false; reason: Reason };

/** Bounds of the workstream over those of the config, one by one. Null: none. */
export function limitsFor(options: Asked, workstream: AskedOf): Limits | null {
  const [own, all] = [workstream.limits ?? null, options.limits ?? null];
  const memoryBytes = own?.memoryBytes ?? all?.memoryBytes ?? null;
  const cpuPercent = own?.cpuPercent ?? all?.cpuPercent ?? null;
  if (memoryBytes === null && cpuPercent === null) return null;
  return { memoryBytes, cpuPercent, bestEffort: (own ?? all)?.bestEffort ?? false };
}

/** The sandbox of the workstream, else that of the config; null: none. */
export function sandboxFor(options: Asked, workstream: AskedOf): Extract<Sandbox, { kind: 'bwrap' }> | null {
  const sandbox = workstream.sandbox ?? options.sandbox ?? null;
  return sandbox === null || sandbox.kind === 'none' ? null : sandbox;
}

/** False where any machine will do. */
export function asksForContainment(options: Asked, workstream: AskedOf): boolean {
  const wish = options.containment ?? 'auto';
  const limits = limitsFor(options, workstream);
  const needsScope = limits !== null && !limits.bestEffort;
  return (
    needsScope || wish === 'scope' || wish === 'pid_namespace' || sandboxFor(options, workstream) !== null
  );
}

const refused = (message: string, hint: string): Choice => ({
  ok: false,
  reason: { code: 'containment', message, hint },
});

/**
 * The tier for the next attempt. `auto` takes the scope where it is offered and outlasts the login, else the sweep: a
 * PID namespace changes what a command sees of the system, and is for those who ask for it. Never less than what was
 * asked for.
 */
export async function chooseContainment(options: Asked, workstream: AskedOf): Promise<Choice> {
  const sandbox = sandboxFor(options, workstream);
  if (sandbox !== null) {
    const offer = await probeBwrap(sandbox.network);
    if (!offer.offered)
      return refused(`no sandbox can be made: ${offer.why}`, 'Install bubblewrap, or say `sandbox: none`.');
  }
  const wish = options.containment ?? 'auto';
  const limits = limitsFor(options, workstream);
  // Where no one asks for more than the sweep, nothing is tried.
  const scope = wish === 'scope' || wish === 'auto' ? await probeScope() : null;
  const tier = wish === 'auto' ? automatic(scope) : wish;
  const lack = lackOfTier(tier, tier === 'pid_namespace' ? await probeNamespace() : scope);
  if (lack !== null) return lack;
  const unenforced = limits === null ? null : lackOfLimits(limits, tier, scope);
  if (unenforced !== null && limits?.bestEffort !== true)
    return refused(
      `limits cannot be enforced: ${unenforced}`,
      'Say `containment: scope` where there is a systemd manager, or `best_effort: true` in `limits`.',
    );
  return { ok: true, tier, text: containmentText(tier, await proofs()), unenforced };
}

function automatic(scope: ScopeOffer | null): Tier {
  return scope?.offered === true && scope.lasting ? 'scope' : 'sweep';
}

function lackOfTier(tier: Tier, offer: Offer | null): Choice | null {
  if (tier === 'sweep' || offer === null || offer.offered) return null;
  const hint = 'Say `containment: auto`, or see `orch doctor` for what this machine offers.';
  return refused(`containment ${tier} is not to be had: ${offer.why}`, hint);
}

/** Why limits do not hold in a tier; null where they do. */
function lackOfLimits(limits: Limits, tier: Tier, scope: ScopeOffer | null): string | null {
  if (tier !== 'scope' || scope === null || !scope.offered) {
    const why = scope?.offered === true ? 'it would end with the login (no lingering)' : scope?.why;
    return `only a systemd scope can, and ${why === undefined ? `the containment is ${tier}` : why}`;
  }
  const missing = [
    ...(limits.memoryBytes !== null && !scope.bounds.includes('memory') ? ['memory'] : []),
    ...(limits.cpuPercent !== null && !scope.bounds.includes('cpu') ? ['cpu'] : []),
  ];
  return missing.length === 0 ? null : `systemd has no ${missing.join(' and ')} controller for this user`;
}

/** By what leftovers are found in every tier. */
async function proofs(): Promise<string[]> {
  if (backend() === 'portable') return ['session', 'descendants'];
  return ['session', 'marker', ...((await probeLimitMark()).offered ? ['limit'] : []), 'cwd'];
}
