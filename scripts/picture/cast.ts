import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { openTerminal, type Size } from './terminal.ts';

/** asciinema v2: a header, then an event a line. `o` is output, `m` a marker. */
export type Cast = { size: Size; events: Event[] };
type Event = [seconds: number, kind: 'o' | 'm', data: string];

/** A longer silence is shortened to this when it is played: the file keeps every event. */
const IDLE_LIMIT_SECONDS = 2;

/** The output that `script --log-out FILE --log-timing FILE` wrote, with its times. */
export function readRecording(outPath: string, timingPath: string): Event[] {
  const bytes = readFileSync(outPath);
  const decoder = new StringDecoder('utf8');
  // `script` puts a line of its own before and after.
  let at = bytes.indexOf(0x0a) + 1;
  let seconds = 0;
  const events: Event[] = [];
  for (const line of readFileSync(timingPath, 'utf8').split('\n')) {
    const [delay, length] = line.split(' ').map(Number);
    if (delay === undefined || length === undefined) continue;
    seconds += delay;
    const data = decoder.write(bytes.subarray(at, at + length));
    at += length;
    if (data !== '') events.push([Math.round(seconds * 1e3) / 1e3, 'o', data]);
  }
  return events;
}

/** The recording with markers in it, as the text of a `.cast` file. */
export function toCast(events: readonly Event[], marks: readonly [number, string][], size: Size): string {
  const all = [...events, ...marks.map(([at, label]): Event => [at, 'm', label])].sort((a, b) => a[0] - b[0]);
  const header = {
    version: 2,
    width: size.columns,
    height: size.rows,
    idle_time_limit: IDLE_LIMIT_SECONDS,
    env: { TERM: 'screen-256color', SHELL: '/bin/bash' },
  };
  return [header, ...all].map((one) => `${JSON.stringify(one)}\n`).join('');
}

export function parseCast(text: string): Cast {
  const [header = '{}', ...lines] = text.trimEnd().split('\n');
  const { width, height } = JSON.parse(header) as { width: number; height: number };
  return { size: { columns: width, rows: height }, events: lines.map((line) => JSON.parse(line) as Event) };
}

const REPLAYED = 'the replay is over';
const BOUND_MS = 20_000;

/** The screen at each marker: the output up to there, shown by a real terminal. */
export async function screensAt({ size, events }: Cast): Promise<Map<string, string[]>> {
  const place = mkdtempSync(join(tmpdir(), 'replay-'));
  const screens = new Map<string, string[]>();
  let shown = '';
  for (const [, kind, data] of events) {
    if (kind === 'o') shown += data;
    if (kind !== 'm') continue;
    const path = `${place}/${screens.size}`;
    // The title tells that everything was drawn; it takes no place on the screen.
    writeFileSync(path, `${shown}\u001b]2;${REPLAYED}\u0007`);
    const env = { PATH: process.env['PATH'] ?? '', TERM: 'screen-256color', LANG: 'C.UTF-8' };
    const terminal = openTerminal(size, place, env, ['sh', '-c', `stty -opost; cat ${path}; sleep 60`]);
    try {
      await terminal.titled(REPLAYED, BOUND_MS);
      screens.set(data, terminal.screen());
    } finally {
      terminal.end();
    }
  }
  rmSync(place, { recursive: true });
  return screens;
}
