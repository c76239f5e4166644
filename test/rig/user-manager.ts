import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cgroupMount } from '../../lib/process/cgroup.ts';
import { type Finished, isAlive, ORCH, type Rig, signal, until } from './repository.ts';

/**
 * A real `systemd --user` in mount and cgroup namespaces of its own, with a cgroup v2 tree of its own below ours. PIDs
 * are those of this machine. It says that root lingers, so that `auto` may take its scopes.
 */
export type UserManager = {
  /** Runs orch where that systemd can be reached. */
  orch(rig: Rig, args: readonly string[], env?: Record<string, string>): Promise<Finished>;
  /** Before a command and its arguments, it makes them run there, in `folder`. */
  enter(folder: string): readonly string[];
  /** Runs a shell command there. */
  sh(command: string): Promise<Finished>;
  end(): Promise<void>;
};

const SYSTEMD = '/usr/lib/systemd/systemd';

/** Why there can be none here, to be said aloud; null where it can be tried. */
export function whyNoUserManager(): string | null {
  if (process.getuid?.() !== 0) return 'only root can give systemd namespaces of its own';
  const missing = [SYSTEMD, '/usr/bin/systemd-run', '/usr/bin/nsenter'].find((path) => !existsSync(path));
  if (missing !== undefined) return `there is no ${missing}`;
  return cgroupMount() === null ? 'cgroup v2 is not mounted' : null;
}

const BEGIN = `
echo $$ > "$CGROUP/cgroup.procs"
exec unshare --mount --cgroup sh -ec '
mount --make-rprivate /
umount -R /sys/fs/cgroup || umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib/systemd
mkdir -p /run/systemd/system /run/user/0 /var/lib/systemd/linger
touch /var/lib/systemd/linger/root
chmod 700 /run/user/0
exec env -i PATH="$PATH" HOME="$HOME" XDG_RUNTIME_DIR=/run/user/0 ${SYSTEMD} --user --log-target=console'
`;

/** Throws where systemd does not come up within its time. */
export async function startUserManager(): Promise<UserManager> {
  const cgroup = join(cgroupMount()?.place ?? '', `orch-test-${process.pid}-${Date.now()}`);
  mkdirSync(cgroup);
  const home = mkdtempSync(join(tmpdir(), 'orch-manager-'));
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, CGROUP: cgroup };
  const child = spawn('sh', ['-c', BEGIN], { env, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said = `${said}${text}`.slice(-4_000);
  });
  const pid = child.pid ?? 0;
  const socket = `/proc/${pid}/root/run/user/0/systemd/private`;
  const end = (): Promise<void> => endAll(child, pid, cgroup, home);
  try {
    await until(() => existsSync(socket) || !isAlive(pid), { what: 'systemd --user' });
    if (!existsSync(socket)) throw new Error(`systemd --user did not come up: ${said}`);
  } catch (error) {
    await end();
    throw error;
  }
  const enter = ['--target', String(pid), '--mount', '--cgroup', '--', 'sh', '-c'];
  const here = `cd "$0" && HOME=${home} XDG_RUNTIME_DIR=/run/user/0 exec "$@"`;
  const run = async (
    folder: string,
    command: readonly string[],
    more: Record<string, string> = {},
  ): Promise<Finished> => {
    const script = 'cd "$0" && exec "$@"';
    const { exitCode, stdout, stderr } = await execa('nsenter', [...enter, script, folder, ...command], {
      env: { PATH: env.PATH, HOME: home, XDG_RUNTIME_DIR: '/run/user/0', NO_COLOR: '1', ...more },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
      detached: true,
    });
    return { code: exitCode ?? null, stdout, stderr };
  };
  return {
    enter: (folder) => ['nsenter', ...enter, here, folder],
    orch: (rig, args, more) => run(rig.root, [process.execPath, ORCH, ...args], more),
    sh: (command) => run('/', ['sh', '-c', command]),
    end,
  };
}

async function endAll(child: ChildProcess, pid: number, cgroup: string, home: string): Promise<void> {
  if (pid > 0) signal(pid, 'SIGTERM');
  await until(() => child.exitCode !== null || child.signalCode !== null, {
    what: 'its end',
    boundMs: 10_000,
  }).catch(() => child.kill('SIGKILL'));
  // All that is in its tree was started by it.
  writeFileSync(join(cgroup, 'cgroup.kill'), '1');
  await until(() => /^populated 0$/m.test(readFileSync(join(cgroup, 'cgroup.events'), 'utf8')), {
    what: 'an empty cgroup',
  });
  removeTree(cgroup);
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}
