import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** The environment without what would lead git or orch elsewhere. */
export function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(GIT|ORCH)_/.test(name)));
}

/** The trimmed output of a program; throws if it fails. */
export async function output(cwd: string, file: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(file, args, { cwd, env: cleanEnv(), maxBuffer: OUTPUT_LIMIT });
  return stdout.trim();
}

/** The trimmed output of git, with an identity and without the user's settings; throws if it fails. */
export async function git(cwd: string, ...args: string[]): Promise<string> {
  const identity = ['-c', 'user.name=real input', '-c', 'user.email=real-input@orch.invalid'];
  const plain = ['-c', 'core.hooksPath=/dev/null', '-c', 'commit.gpgSign=false'];
  return output(cwd, 'git', ...identity, ...plain, ...args);
}

/** Exit code (null: a signal) and the end of the output of `sh -c command`. */
export function shell(
  cwd: string,
  command: string,
  env: Record<string, string>,
): Promise<{ code: number | null; tail: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], {
      cwd,
      env: { ...cleanEnv(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let tail = '';
    const keep = (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-2_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, tail }));
  });
}
