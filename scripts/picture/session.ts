import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDemoRepository } from '../../lib/cli/demo/repository.ts';
import { makeSshHost } from '../../test/rig/ssh.ts';
import { readRecording, toCast } from './cast.ts';
import { openTerminal, type Size } from './terminal.ts';

/**
 * A real session of a person: the demo's plan is launched on a host over SSH, the connection drops while the live view
 * is open, and a new connection comes back to work that went on. Needs root, sshd, `ip`, tmux and util-linux `script`.
 */

const BOUND_MS = 180_000;
/** How a prompt of the far host, and of the near one, looks. */
const FAR = 'ada@server:~/shop$ ';
const NEAR = 'ada@laptop:~$ ';

function writeProgram(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

/** Records it; returns the text of a `.cast` file, with a marker where the picture has a screen. */
export async function recordSession(orch: string, size: Size): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'night-')));
  const shop = join(folder, 'shop');
  const bin = join(folder, 'bin');
  const farBin = join(folder, 'far');
  for (const path of [bin, farBin]) mkdirSync(path);
  await makeDemoRepository(shop);
  const host = await makeSshHost();
  writeProgram(join(farBin, 'orch'), `exec "${process.execPath}" "${orch}" "$@"`);
  const git = ['user.name=Ada', 'user.email=ada@localhost'].flatMap((one) => ['-c', one]).join(' ');
  writeProgram(join(farBin, 'git'), `exec /usr/bin/git ${git} "$@"`);
  const path = process.env['PATH'] ?? '';
  const far = `cd ${shop} && exec env -i HOME=${folder} PATH=${farBin}:${path} TERM=$TERM LANG=C.UTF-8 'PS1=${FAR}' bash --noprofile --norc`;
  writeFileSync(join(folder, 'far.sh'), `${far}\n`);
  // The near side finds out about the dead connection as soon as the far side does, and says so.
  const options = ['ServerAliveInterval=1', 'ServerAliveCountMax=2'].flatMap((one) => ['-o', one]);
  const known = `UserKnownHostsFile=${join(folder, 'known')}`;
  const client = host.client.map((word) =>
    word.startsWith('UserKnownHosts') ? known : word.replace('LogLevel=ERROR', 'LogLevel=INFO'),
  );
  const [program = 'ip', ...args] = client;
  // The question whether to trust the host is asked, and answered, before the recording.
  spawnSync(program, [...args, 'true'], { stdio: 'ignore' });
  const words = [program, ...args.slice(0, -1), ...options, args.at(-1), 'sh', join(folder, 'far.sh')];
  writeProgram(join(bin, 'ssh'), `PATH="${path}" exec ${words.join(' ')}`);
  const env = {
    PATH: `${bin}:${path}`,
    HOME: folder,
    PS1: NEAR,
    TERM: 'screen-256color',
    LANG: 'C.UTF-8',
  };
  const [out, timing] = [join(folder, 'out'), join(folder, 'timing')];
  const shell = [
    'script',
    '-q',
    '-f',
    '--log-out',
    out,
    '--log-timing',
    timing,
    '-c',
    'bash --noprofile --norc',
  ];
  const terminal = openTerminal(size, folder, env, shell);
  const marks: [events: number, label: string][] = [];
  const mark = (label: string): void => {
    marks.push([readRecording(out, timing).length, label]);
  };
  try {
    await terminal.until(/ada@laptop/, BOUND_MS);
    await terminal.type('ssh server');
    await terminal.until(/ada@server/, BOUND_MS);
    await terminal.type('orch launch');
    await terminal.until(/You may close/, BOUND_MS);
    mark('launched');
    await terminal.type('orch reattach');
    await terminal.until(/[2-9] completed/, BOUND_MS);
    host.pullNetwork();
    await terminal.until(/laptop:~\$ *$/m, BOUND_MS);
    mark('dropped');
    host.plugNetwork();
    await terminal.type('clear');
    await terminal.type('ssh server');
    await terminal.until(/ada@server/, BOUND_MS);
    await terminal.type('orch reattach');
    await terminal.until(/\d of 7 completed\n+ada@server/, BOUND_MS);
    await terminal.type('git merge -q $(git branch --list "orch/*" --format="%(refname)")');
    await terminal.type('git diff --shortstat HEAD@{1} && node --test 2>&1 | grep -E "^# (pass|fail)"');
    await terminal.until(/# fail/, BOUND_MS);
    mark('merged');
    const events = readRecording(out, timing);
    const at = (count: number): number => events[count - 1]?.[0] ?? 0;
    return toCast(
      events,
      marks.map(([count, label]) => [at(count), label]),
      size,
    );
  } finally {
    terminal.end();
    // Where something went wrong, workers may still be at it.
    spawnSync(process.execPath, [orch, 'stop', '--all', '--quiet', '--root', shop]);
    await host.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
