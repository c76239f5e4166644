import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { signal, until } from './repository.ts';

/**
 * A real sshd in a network namespace of its own, joined to a client's namespace by a veth pair, so that the
 * network between the two can be pulled. Needs root, `ip` and OpenSSH.
 */
export type SshHost = {
  /** Opens a session with a terminal that runs `command`; the client process is returned. */
  session(command: string): { client: ChildProcess; output: () => string };
  /** The program and its arguments that open such a session; a remote command may follow. */
  client: readonly string[];
  pullNetwork(): void;
  plugNetwork(): void;
  end(): Promise<void>;
};

/** Why there can be no sshd here, or null. */
export function sshMissing(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const missing = ['/usr/sbin/sshd', '/usr/bin/ssh', '/usr/bin/ssh-keygen'].find((path) => !existsSync(path));
  if (missing !== undefined) return `${missing} is not installed`;
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' });
    return null;
  } catch (error) {
    return `ip netns: ${String(error)}`;
  }
}

const PORT = 2222;

export async function makeSshHost(): Promise<SshHost> {
  const folder = mkdtempSync(join(tmpdir(), 'orch-ssh-'));
  const name = `o${process.pid}`;
  const server = `${name}s`;
  const client = `${name}c`;
  const ip = (...args: string[]): void => {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  ip('netns', 'add', server);
  ip('netns', 'add', client);
  ip('link', 'add', `${name}a`, 'netns', server, 'type', 'veth', 'peer', 'name', `${name}b`, 'netns', client);
  ip('-n', server, 'addr', 'add', '10.199.0.1/30', 'dev', `${name}a`);
  ip('-n', client, 'addr', 'add', '10.199.0.2/30', 'dev', `${name}b`);
  ip('-n', server, 'link', 'set', `${name}a`, 'up');
  ip('-n', client, 'link', 'set', `${name}b`, 'up');
  for (const key of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
  }
  writeFileSync(join(folder, 'authorized'), readFileSync(join(folder, 'user.pub')), { mode: 0o600 });
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const config = [
    `Port ${PORT}`,
    'ListenAddress 10.199.0.1',
    `HostKey ${folder}/host`,
    `AuthorizedKeysFile ${folder}/authorized`,
    `PidFile ${folder}/pid`,
    'PasswordAuthentication no',
    'PermitRootLogin yes',
    'StrictModes no',
    'UsePAM no',
    // A dropped connection is noticed after two seconds.
    'ClientAliveInterval 1',
    'ClientAliveCountMax 2',
  ].join('\n');
  writeFileSync(join(folder, 'config'), `${config}\n`);
  const daemon = spawn(
    'ip',
    ['netns', 'exec', server, '/usr/sbin/sshd', '-D', '-e', '-f', join(folder, 'config')],
    {
      stdio: 'ignore',
    },
  );
  const clients: ChildProcess[] = [];
  const settings = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
    'BatchMode=yes',
  ].flatMap((option) => ['-o', option]);
  const place = ['-i', join(folder, 'user'), '-p', String(PORT), `${userInfo().username}@10.199.0.1`];
  const program = ['ip', 'netns', 'exec', client, 'ssh', '-tt', ...settings, ...place];
  const session = (command: string): { client: ChildProcess; output: () => string } => {
    const [file = 'ip', ...args] = program;
    const child = spawn(file, [...args, command], { stdio: ['pipe', 'pipe', 'pipe'] });
    clients.push(child);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    return { client: child, output: () => text };
  };
  await until(() => existsSync(join(folder, 'pid')), { what: 'sshd to listen' });
  return {
    session,
    client: program,
    pullNetwork: () => ip('-n', client, 'link', 'set', `${name}b`, 'down'),
    plugNetwork: () => ip('-n', client, 'link', 'set', `${name}b`, 'up'),
    async end() {
      for (const child of [...clients, daemon]) {
        if (child.pid !== undefined && child.exitCode === null) signal(child.pid, 'SIGKILL');
      }
      signal(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
      ip('netns', 'del', server);
      ip('netns', 'del', client);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
