import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { identify } from '../../lib/process/identity.ts';
import type { Kin } from '../../lib/process/kin.ts';
import type { ToolSettings } from '../../lib/protocol/tools.ts';
import type { ToolRequest } from '../../lib/tools/adapter.ts';
import type { Supervision } from '../../lib/tools/supervise.ts';
import { signal } from '../rig/repository.ts';

/** A worktree, a scratch folder and fake agents; what they start is ended by `endAgents`. */

const FAKE = join(import.meta.dirname, '../fixtures/tools/agent.mjs');
const started: number[] = [];
const folders: string[] = [];

export const KEY = 'sk-live-0123456789abcdef0123';

/** What a fake agent notes of how it was started. */
type Given = {
  argv: string[];
  stdin: string;
  cwd: string;
  env: Record<string, string>;
  /** The prompt file that its arguments named: content, permissions, and its neighbours. */
  file: string | null;
  mode: number | null;
  scratch: string[];
};

export type Bench = {
  worktree: string;
  scratch: string;
  bin: string;
  env: Record<string, string>;
  request(more: Partial<ToolRequest> & { mode?: string; settings?: ToolSettings }): ToolRequest;
  given(): Given;
};

/** Fake programs of these names are on its PATH. */
export function makeBench(...names: string[]): Bench {
  const top = realpathSync(mkdtempSync(join(tmpdir(), 'orch-tools-')));
  folders.push(top);
  const [worktree, scratch, bin, home] = ['worktree', 'scratch', 'bin', 'home'].map((name) => {
    mkdirSync(join(top, name), { mode: 0o700 });
    return join(top, name);
  }) as [string, string, string, string];
  for (const name of names) symlinkSync(FAKE, join(bin, name));
  const [record, out] = [join(top, 'record.json'), join(top, 'out')];
  writeFileSync(out, '');
  const env = {
    PATH: [bin, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
    HOME: home,
    OPENAI_API_KEY: KEY,
    ORCH_ROOT: top,
    ORCH_WORKSTREAM: 'A',
    ORCH_RUN: 'r',
    ORCH_ATTEMPT: '1',
    ORCH_TOKEN: '0'.repeat(32),
    FAKE_RECORD: record,
    FAKE_OUT: out,
  };
  return {
    worktree,
    scratch,
    bin,
    env,
    given: () => JSON.parse(readFileSync(record, 'utf8')) as Given,
    request: ({ mode = 'ok', settings = {}, ...more }) => ({
      task: { kind: 'prompt', prompt: 'x', tool: null, timeoutMs: null, digest: 'd', step: null },
      prompt: 'Do it.',
      worktree,
      scratch,
      env: { ...env, FAKE_MODE: mode },
      settings,
      files: { present: [], toCreate: [], isInside: () => true },
      transcript: { read: () => ({ out: readFileSync(out, 'utf8'), err: '' }) },
      supervision: watchPrograms(),
      ...more,
    }),
  };
}

/** A supervision whose kin are the programs that it saw start. */
export function watchPrograms(more: Partial<Supervision> = {}): Supervision {
  const kin: Kin[] = [];
  /** One that has started and whose identity is not read yet is kin too. */
  let noted: Promise<unknown> = Promise.resolve();
  const note = async (pid: number): Promise<void> => {
    const identity = await identify(pid, '');
    const startTime = identity?.start_time ?? 0;
    const rest = {
      command: 'agent',
      workstream: 'A',
      token: null,
      proof: 'session',
      ofLiveWorker: true,
    } as const;
    kin.push({ pid, startTime, ...rest });
  };
  return {
    timeoutMs: 60_000,
    stallMs: 60_000,
    graceMs: 200,
    stop: new AbortController().signal,
    kin: async () => {
      await noted;
      return kin;
    },
    onStart: (pid) => {
      started.push(pid);
      const mine = note(pid);
      noted = Promise.all([noted, mine]);
      return mine;
    },
    onSignal: () => undefined,
    ...more,
  };
}

/** The programs of the test that has just run. */
export const startedPrograms = (): readonly number[] => started;

export function endAgents(): void {
  for (const pid of started.splice(0)) signal(pid, 'SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
