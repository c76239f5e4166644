import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Edit } from '../model-server/modes.ts';
import type { Connection } from './subjects.ts';

/** A temporary folder in which one tool runs once: a repository, a home, and what is told between the processes. */
export type Place = {
  folder: string;
  repository: string;
  home: string;
  scratch: string;
  out: string;
  err: string;
};

export function placeAt(folder: string): Place {
  const at = (name: string): string => join(folder, name);
  return {
    folder,
    repository: at('repository'),
    home: at('home'),
    scratch: at('scratch'),
    out: at('out'),
    err: at('err'),
  };
}

const GREETING = 'src/greeting.txt';
const FAREWELL = 'src/farewell.txt';
const FILES = {
  'README.md': 'A repository for a probe of orch.\n',
  [GREETING]: 'good morning\nhow are you?\n',
};

/** What the task asks for, and what the server answers. */
export const EDITS: readonly Edit[] = [
  { path: GREETING, old: 'good morning\n', new: 'good evening\n' },
  { path: FAREWELL, old: null, new: 'good night\n' },
];
/** The files that the task is about. */
export const TASK_FILES = { present: [GREETING], toCreate: [FAREWELL] } as const;
export const PROMPT = `In the file ${GREETING}, change "good morning" to "good evening". Make a new file ${FAREWELL} with the line "good night".`;
const AFTER: Record<string, string> = {
  [GREETING]: 'good evening\nhow are you?\n',
  [FAREWELL]: 'good night\n',
};

/** Makes the folder, with a repository of one commit and an empty scratch folder. */
export function makePlace(): Place {
  const place = placeAt(realpathSync(mkdtempSync(join(tmpdir(), 'orch-probe-'))));
  for (const path of [place.repository, place.home, place.scratch]) mkdirSync(path, { mode: 0o700 });
  for (const [path, text] of Object.entries(FILES)) write(join(place.repository, path), text);
  git(place, 'init', '--quiet', '--initial-branch=main');
  git(place, 'add', '--all');
  git(place, 'commit', '--quiet', '--message=start');
  return place;
}

export function furnish({ home }: Place, { files }: Connection): void {
  for (const [path, text] of Object.entries(files)) write(join(home, path), text);
}

/** What git sees of it: nothing, all that was asked for and nothing else, or something else. */
export function lookAt(place: Place): 'nothing' | 'as asked' | { otherwise: string } {
  const status = git(place, 'status', '--porcelain', '--untracked-files=all');
  const commits = git(place, 'rev-list', '--count', '--all').trim();
  if (status === '' && commits === '1') return 'nothing';
  const paths = status.split('\n').flatMap((line) => (line === '' ? [] : [line.slice(3)]));
  const isAsked = (path: string): boolean =>
    readFileSync(join(place.repository, path), 'utf8') === AFTER[path];
  const isWhole =
    paths.length === Object.keys(AFTER).length && paths.every((path) => path in AFTER && isAsked(path));
  return isWhole && commits === '1' ? 'as asked' : { otherwise: `${status.trim()}; ${commits} commits` };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
}

/** As a person without any settings. */
function git({ repository, home }: Place, ...args: string[]): string {
  const config = [
    'user.name=Person',
    'user.email=person@localhost',
    'commit.gpgSign=false',
    'core.hooksPath=/dev/null',
  ];
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, GIT_CONFIG_NOSYSTEM: '1' };
  const flags = config.flatMap((setting) => ['-c', setting]);
  return execFileSync('git', ['-C', repository, ...flags, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
