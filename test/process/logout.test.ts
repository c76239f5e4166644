import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { logoutRisk } from '../../lib/cli/logout-risk.ts';
import { type LogoutFate, logoutFate } from '../../lib/process/logout.ts';
import { folderWith } from '../plan/scratch.ts';

/** The files of a machine. */
const BOOTED = { 'run/systemd/system/x': '' };
const session = (uid: number) => ({
  'proc/self/loginuid': `${uid}`,
  'proc/self/cgroup': '0::/user.slice/user-7.slice/session-3.scope\n',
});
const MAIN = 'etc/systemd/logind.conf';

async function fateOf(files: Record<string, string>): Promise<LogoutFate> {
  return logoutFate(await folderWith({ 'proc/x': '', ...files }));
}

describe('the files of logind', () => {
  it('say nothing where there are none, nor of a system that does not run', async () => {
    expect(await fateOf({})).toMatchObject({ systemd: false, kills: null, place: 'elsewhere' });
    expect(await fateOf({ [MAIN]: '#KillUserProcesses=yes\n' })).toMatchObject({ kills: null });
    const built = await fateOf({ ...BOOTED, [MAIN]: '[Login]\n#KillUserProcesses=no\n' });
    expect(built).toMatchObject({ systemd: true, kills: false });
  });

  it('are read as logind does: the main file, then drop-ins by name, those of /etc first', async () => {
    const yes = '[Login]\nKillUserProcesses=yes\n';
    const no = '[Login]\n KillUserProcesses = no\n';
    const killed = async (files: Record<string, string>) => (await fateOf(files)).kills;
    expect(await killed({ [MAIN]: yes })).toBe(true);
    expect(await killed({ [MAIN]: yes, 'etc/systemd/logind.conf.d/a.conf': no })).toBe(false);
    const drop = (folder: string, name: string) => `${folder}/systemd/logind.conf.d/${name}`;
    expect(await killed({ [drop('etc', '10.conf')]: no, [drop('usr/lib', '20.conf')]: yes })).toBe(true);
    expect(await killed({ [drop('etc', '20.conf')]: no, [drop('usr/lib', '20.conf')]: yes })).toBe(false);
    expect(await killed({ [drop('etc', 'a.txt')]: yes })).toBeNull();
    expect((await fateOf({ [MAIN]: yes })).source).toMatch(/logind\.conf$/);
  });

  it('spare root unless told otherwise, and others where they are named', async () => {
    const killed = async (lines: string, uid: number) =>
      (await fateOf({ [MAIN]: `KillUserProcesses=yes\n${lines}`, ...session(uid) })).kills;
    expect(await killed('', 0)).toBe(false);
    expect(await killed('KillExcludeUsers=\n', 0)).toBe(true);
    expect(await killed('KillExcludeUsers=root other\n', 0)).toBe(false);
    expect(await killed('KillExcludeUsers=\nKillOnlyUsers=other\n', 0)).toBe(false);
    expect(await killed('KillOnlyUsers=root\nKillExcludeUsers=\n', 0)).toBe(true);
    // Nobody knows whose session it is.
    expect(await killed('', 4_294_967_295)).toBe(true);
  });
});

describe('the risk of a logout', () => {
  const fate: LogoutFate = { systemd: true, kills: false, linger: false, place: 'session', source: 'a file' };
  it.each([
    [{}, false],
    [{ kills: true }, true],
    [{ kills: true, linger: null }, true],
    [{ kills: true, linger: true }, true],
    [{ kills: true, linger: true, place: 'manager' }, false],
    [{ place: 'manager' }, true],
    [{ place: 'manager', linger: null }, false],
    [{ kills: null }, false],
  ] as const)('of %j is told: %j', (changes, told) => {
    expect(logoutRisk({ ...fate, ...changes }) !== null).toBe(told);
  });
});

it('finds lingering by the file of the user', async () => {
  const { userInfo } = await import('node:os');
  const name = userInfo().username;
  expect((await fateOf({ [join('var/lib/systemd/linger', name)]: '' })).linger).toBe(true);
  expect((await fateOf({})).linger).toBe(false);
});
