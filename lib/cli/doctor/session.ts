import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { type LogoutFate, logoutFate } from '../../process/logout.ts';
import { backend } from '../../process/system.ts';
import { programOnPath } from '../../tools/on-path.ts';
import { logoutRisk } from '../logout-risk.ts';
import { type Check, ok, warn } from './check.ts';

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

/** How far a sweep for what a worker started can reach. Only looked at: nothing is started. */
export function checkContainment(): Check {
  const used = 'used: session + marker + cwd';
  if (backend() === 'portable') {
    const hint = 'What a tool hides from its session may escape the sweep on this system.';
    return warn('containment', `${used}, without /proc: markers and folders of others cannot be seen`, hint);
  }
  const better = [
    ...(hasUserManager() ? ['cgroup scope (systemd-run --user --scope)'] : []),
    ...(hasNamespaces() ? ['PID namespace (unshare --pid)'] : []),
  ];
  const more =
    better.length === 0
      ? 'none of the stronger ones is at hand'
      : `at hand, not yet used: ${better.join(', ')}`;
  return ok('containment', `${used}; ${more}`);
}

function hasUserManager(): boolean {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? ''}`;
  return programOnPath('systemd-run') !== null && existsSync(join(runtime, 'systemd/private'));
}

function hasNamespaces(): boolean {
  if (programOnPath('unshare') === null) return false;
  if (process.getuid?.() === 0) return true;
  const allowed = ['/proc/sys/kernel/unprivileged_userns_clone', '/proc/sys/user/max_user_namespaces'];
  return (
    allowed.every((path) => numberIn(path) !== 0) &&
    numberIn('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') !== 1
  );
}

function numberIn(path: string): number | null {
  try {
    return Number(readFileSync(path, 'utf8').trim());
  } catch (error) {
    // This kernel has no such switch.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}
