import { execFileSync, spawnSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { ORCH, personEnvironment, type Rig, until } from './repository.ts';

/** A real terminal of tmux with a shell in it; a server of its own, ended after the test. */
export type Terminal = {
  /** Types a line and Enter. */
  type(line: string): void;
  /** Keys by tmux's names, or characters. */
  press(...keys: string[]): void;
  lines(): string[];
  /** As `lines`, with colours and other escape sequences. */
  painted(): string;
  resize(columns: number, rows: number): void;
  /** A value of tmux about the pane, such as `cursor_flag`. */
  ask(format: string): string;
  /** Waits until the screen shows it, at most 30 s; the screen is in the message else. */
  sees(pattern: RegExp | ((lines: string[]) => boolean), what: string): Promise<string[]>;
  end(): void;
};

/** Why there can be no such terminal here, or null. */
export function tmuxMissing(): string | null {
  return spawnSync('tmux', ['-V']).status === 0 ? null : 'tmux is not installed';
}

let count = 0;

type Place = { columns?: number; rows?: number; env?: Record<string, string>; shell?: string[] };

/** Opens a terminal with a shell in `root`; `$ORCH` is the built program. */
export function openTerminal(
  { root }: Pick<Rig, 'root'>,
  { columns = 80, rows = 24, env = {}, shell }: Place = {},
): Terminal {
  count += 1;
  const socket = `orch-test-${process.pid}-${count}`;
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: personEnvironment(),
    });
  const person: Record<string, string> = {
    ...personEnvironment(),
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    PS1: '$ ',
  };
  // tmux gives its own TERM; a test run is CI's, and a person is not.
  for (const name of ['CI', 'TERM', 'NO_COLOR', 'TMUX']) delete person[name];
  const settings = Object.entries({ ...person, ...env }).map(([name, value]) => `${name}=${value}`);
  const program = `${process.execPath} ${ORCH}`;
  const bash = ['bash', '--noprofile', '--norc'];
  const own = ['env', '-i', 'TERM=screen-256color', ...settings, `ORCH=${program}`, ...(shell ?? bash)];
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', root, ...own);
  tmux('set-option', '-g', 'remain-on-exit', 'on');
  const lines = (): string[] => tmux('capture-pane', '-p').trimEnd().split('\n');
  const terminal: Terminal = {
    type: (line) => {
      tmux('send-keys', '-l', line);
      tmux('send-keys', 'Enter');
    },
    press: (...keys) => void tmux('send-keys', ...keys),
    lines,
    painted: () => tmux('capture-pane', '-e', '-p'),
    resize: (width, height) => void tmux('resize-window', '-x', String(width), '-y', String(height)),
    ask: (format) => tmux('display-message', '-p', `#{${format}}`).trim(),
    sees: async (pattern, what) => {
      let seen: string[] = [];
      const isThere = (): boolean => {
        seen = lines();
        return typeof pattern === 'function' ? pattern(seen) : pattern.test(seen.join('\n'));
      };
      try {
        await until(isThere, { what });
      } catch (cause) {
        throw new Error(`waited in vain for ${what}; the screen:\n${seen.join('\n')}`, { cause });
      }
      return seen;
    },
    end: () => void spawnSync('tmux', ['-L', socket, 'kill-server']),
  };
  onTestFinished(terminal.end);
  return terminal;
}
