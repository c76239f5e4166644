import { type LogoutFate, logoutFate } from '../../process/logout.ts';
import { backend } from '../../process/system.ts';
import {
  type Offer,
  probeBwrap,
  probeLimitMark,
  probeNamespace,
  probeScope,
  type ScopeOffer,
} from '../../process/tiers.ts';
import type { PlanOptions } from '../../protocol/plan.ts';
import { type Choice, chooseContainment } from '../../tools/choose.ts';
import { logoutRisk } from '../logout-risk.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** Whether detached work outlives the login. */
export async function checkLogout(): Promise<Check> {
  const fate = await logoutFate();
  const risk = logoutRisk(fate);
  if (risk !== null) {
    const note = fate.systemd ? '' : ' (though no systemd runs here now)';
    return warn('logout', `${risk.found}${note}`, risk.hint);
  }
  if (!fate.systemd) return ok('logout', 'no systemd runs here: nothing ends processes at logout');
  if (fate.kills === null) {
    const hint = 'Look for KillUserProcesses in /etc/systemd/logind.conf and logind.conf.d.';
    return warn('logout', 'it could not be found out whether logout ends processes', hint);
  }
  return ok('logout', `detached work goes on after it: ${saying(fate)}`);
}

function saying({ kills, linger, source }: LogoutFate): string {
  const lingers = linger === null ? 'unknown' : linger ? 'on' : 'off';
  return `KillUserProcesses=${kills === true ? 'yes' : 'no'} for you (${source}), lingering ${lingers}`;
}

/**
 * Which tier a worker would get, and what each of them found when it was tried. Each try starts `true` and ends with
 * it; nothing stays.
 */
export async function checkContainment(
  asked: Pick<PlanOptions, 'containment' | 'limits' | 'sandbox'>,
): Promise<Check[]> {
  const [choice, scope, namespace, limit, bwrap, alone] = await Promise.all([
    chooseContainment(asked, {}),
    probeScope(),
    probeNamespace(),
    probeLimitMark(),
    probeBwrap(true),
    probeBwrap(false),
  ]);
  return [
    checkChoice(choice, asked.containment ?? 'auto'),
    checkScope(scope),
    tierRow(
      'tier namespace',
      namespace,
      'only for `containment: pid_namespace`, since commands see other PIDs',
    ),
    checkSweep(limit),
    bwrap.offered && !alone.offered
      ? ok('sandbox bwrap', `${bwrap.evidence}; with \`network: off\`: ${alone.why}`)
      : tierRow('sandbox bwrap', bwrap, 'for plans that say `sandbox: bwrap`'),
  ];
}

function checkChoice(choice: Choice, wish: string): Check {
  if (!choice.ok) return fail('containment', `${wish}: ${choice.reason.message}`, choice.reason.hint);
  const { tier, text, unenforced } = choice;
  const found = `${wish}: workers get ${tier} (${text})`;
  return unenforced === null
    ? ok('containment', found)
    : warn('containment', `${found}; no limits: ${unenforced}`);
}

function checkScope(offer: ScopeOffer): Check {
  if (!offer.offered || offer.lasting) return tierRow('tier scope', offer, 'taken by auto');
  const why = 'not taken by auto: without lingering, logout ends the manager and every scope with it';
  const hint = 'Run `loginctl enable-linger` once, or say `containment: scope`.';
  return { ...ok('tier scope', `${offer.evidence}; ${why}`), hint };
}

function tierRow(name: string, offer: Offer, use: string): Check {
  return ok(name, offer.offered ? `${offer.evidence}; ${use}` : `not offered: ${offer.why}`);
}

function checkSweep(limit: Offer): Check {
  if (backend() === 'portable') {
    const hint = 'What a tool hides from its session may escape the sweep on this system.';
    return warn('tier sweep', 'without /proc: markers and folders of others cannot be seen', hint);
  }
  if (limit.offered) return ok('tier sweep', 'session, marker, limit and cwd; always there');
  const hint = 'Install util-linux: prlimit marks commands that shed everything else.';
  return { ...ok('tier sweep', `session, marker and cwd; no limit marks: ${limit.why}`), hint };
}
