import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, signal } from '../../test/rig/repository.ts';

/** A terminal of its own, by tmux: what is typed there is run for real. */
export type Terminal = {
  /** Types a line as a person would, and Enter. */
  type(line: string): Promise<void>;
  /** Sends a key by tmux's name, such as `C-c`. */
  press(key: string): Promise<void>;
  /** Waits until the screen shows `pattern`. Throws after `boundMs`, with the screen. */
  until(pattern: RegExp, boundMs: number): Promise<void>;
  /** Waits until the terminal has this title. */
  titled(title: string, boundMs: number): Promise<void>;
  /** The lines of the screen with their colours, empty ones at the end left out. */
  screen(): string[];
  end(): void;
};

export type Size = { columns: number; rows: number };

const LOOK_MS = 50;
/** A moment between two keys, and two lines. */
const KEY_MS = 35;
const LINE_MS = 700;

let count = 0;

/** Opens a terminal that runs `program` in `cwd`, with `env` and nothing else. The caller ends it. */
export function openTerminal(
  size: Size,
  cwd: string,
  env: Readonly<Record<string, string>>,
  program: readonly string[],
): Terminal {
  count += 1;
  const socket = `orch-picture-${process.pid}-${count}`;
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], { encoding: 'utf8', env: { ...env } });
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const { columns, rows } = size;
  const place = ['-x', String(columns), '-y', String(rows), '-c', cwd];
  tmux('new-session', '-d', ...place, 'env', '-i', ...settings, ...program);
  tmux('set-option', '-g', 'remain-on-exit', 'on');
  const capture = (): string => tmux('capture-pane', '-e', '-p');
  const wait = async (isThere: () => boolean, what: string, boundMs: number): Promise<void> => {
    const bound = performance.now() + boundMs;
    while (!isThere()) {
      if (performance.now() > bound) throw new Error(`${what} did not come; the screen:\n${capture()}`);
      await sleep(LOOK_MS);
    }
  };
  return {
    async type(line) {
      for (const key of line) {
        tmux('send-keys', '-l', key);
        await sleep(KEY_MS);
      }
      tmux('send-keys', 'Enter');
      await sleep(LINE_MS);
    },
    async press(key) {
      tmux('send-keys', key);
      await sleep(LINE_MS);
    },
    until: (pattern, boundMs) =>
      wait(() => pattern.test(tmux('capture-pane', '-p')), String(pattern), boundMs),
    titled: (title, boundMs) =>
      wait(() => tmux('display-message', '-p', '#{pane_title}').trim() === title, title, boundMs),
    screen: () => capture().trimEnd().split('\n'),
    end() {
      // `script` outlives a hang-up.
      const pid = Number(tmux('display-message', '-p', '#{pane_pid}'));
      if (isAlive(pid)) signal(pid, 'SIGKILL');
      tmux('kill-server');
    },
  };
}
