import type { LogoutFate } from '../process/logout.ts';

const LINGER = '`loginctl enable-linger`';
const SCOPE = '`systemd-run --user --scope orch launch`';

/** Why detached work may end when the user logs out, and what to do about it; null where it does not. */
export function logoutRisk(fate: LogoutFate): { found: string; hint: string } | null {
  const { kills, linger, place, source } = fate;
  if (kills === true && linger !== true) {
    const found = `logout ends what you started, detached or not: KillUserProcesses=yes (${source}), no lingering`;
    return { found, hint: `Run ${LINGER} once, then start with ${SCOPE}.` };
  }
  if (kills === true && place === 'session') {
    const found = `logout ends what this session started: KillUserProcesses=yes (${source}); lingering spares services alone`;
    return { found, hint: `Start with ${SCOPE}.` };
  }
  if (place === 'manager' && linger === false) {
    const found =
      'this terminal runs under the service manager of the user, which ends with the last session';
    return { found, hint: `Run ${LINGER} once.` };
  }
  return null;
}
