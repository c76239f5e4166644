import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** A terminal of its own, by tmux: what is typed there is run for real. */
export type Terminal = {
  /** Types a line and Enter. */
  type(line: string): Promise<void>;
  /** Sends a key by tmux's name, such as `C-c`. */
  press(key: string): void;
  /** Waits until the screen shows `pattern`. Throws after `boundMs`, with the screen. */
  until(pattern: RegExp, boundMs: number): Promise<void>;
  /** Forgets what is on the screen. */
  clear(): Promise<void>;
  /** The lines of the screen with their colours, empty ones at the end left out. */
  screen(): string[];
  end(): void;
};

const LOOK_MS = 50;
/** A moment between two lines, so that the shell has shown its prompt. */
const TYPING_MS = 400;

/** Opens a terminal with a bare shell in `cwd`. The caller ends it. */
export function openTerminal(
  size: { columns: number; rows: number },
  cwd: string,
  env: Readonly<Record<string, string>>,
): Terminal {
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', `orch-picture-${process.pid}`, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
    });
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const { columns, rows } = size;
  const shell = ['env', ...settings, 'bash', '--noprofile', '--norc'];
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', cwd, ...shell);
  const capture = (): string => tmux('capture-pane', '-e', '-p');
  return {
    async type(line) {
      tmux('send-keys', '-l', line);
      tmux('send-keys', 'Enter');
      await sleep(TYPING_MS);
    },
    press: (key) => void tmux('send-keys', key),
    async until(pattern, boundMs) {
      const bound = performance.now() + boundMs;
      while (!pattern.test(tmux('capture-pane', '-p'))) {
        if (performance.now() > bound) throw new Error(`${pattern} did not come; the screen:\n${capture()}`);
        await sleep(LOOK_MS);
      }
    },
    async clear() {
      tmux('send-keys', '-R', 'C-l');
      await sleep(TYPING_MS);
    },
    screen: () => capture().trimEnd().split('\n'),
    end: () => void tmux('kill-server'),
  };
}
