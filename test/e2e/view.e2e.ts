import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import stringWidth from 'string-width';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { completed, endAll, failed, makeFolder, makeRoot, putPlan, putRecord } from '../cli/rig.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';
import { openTerminal, type Terminal, tmuxMissing } from '../rig/terminal.ts';

/** The live view on a real terminal. What is on the screen is read by its structure, never by its prose. */

vi.setConfig({ testTimeout: 120_000 });

const missing = tmuxMissing();
if (missing !== null) process.stderr.write(`the tests of the live view are skipped: ${missing}\n`);

const SECRET = 'sk-ant-abcdefghijklmnop1234567890';
const ESCAPES = `printf '\\033[2J\\033[31mred\\033]0;owned\\007 ${SECRET}\\n'`;
const PLAN = {
  workstreams: [
    {
      id: 'alpha',
      title: '日本語のタスク',
      tasks: [{ run: `echo 1 > a; ${ESCAPES}` }, { run: 'sleep 600' }],
    },
    { id: 'beta', tasks: [{ run: 'echo b > b; sleep 600' }] },
    { id: 'gamma', tasks: [{ run: 'exit 3' }] },
    { id: 'delta', depends_on: ['alpha'], tasks: [{ run: 'echo d > d' }] },
  ],
};
const QUICK = { workstreams: [{ id: 'alpha', tasks: [{ run: 'echo a > a' }] }] };
const SIGNS = '[·○●✔■✖?.o*+=x]';
const ROW = new RegExp(`^([❯>] |  )(\\S+) +(${SIGNS}) (\\w+)`);

type Row = { id: string; state: string; selected: boolean };

/** The rows of the list that a screen shows. */
function rowsOf(lines: readonly string[]): Row[] {
  return lines.flatMap((line) => {
    const [, mark, id, , state] = ROW.exec(line) ?? [];
    return id === undefined || state === undefined ? [] : [{ id, state, selected: mark?.trim() !== '' }];
  });
}

const selectedOf = (lines: readonly string[]): string | undefined =>
  rowsOf(lines).find(({ selected }) => selected)?.id;
const stateOf = (lines: readonly string[], id: string): string | undefined =>
  rowsOf(lines).find((row) => row.id === id)?.state;
/** The labels of the page of details. */
const labelsOf = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => /^([a-z]+) {2,}\S/.exec(line)?.[1] ?? []);

type Place = Pick<Rig, 'root' | 'aside'>;

/** A folder with the records of a run that is over: all that it takes to look at. */
async function oldRun(): Promise<Place> {
  const root = makeRoot();
  await putPlan(root, ['alpha', 'gamma']);
  await putRecord(root, 'alpha', { ...completed, title: '日本語のタスク' });
  await putRecord(root, 'gamma', failed);
  return { root, aside: makeFolder() };
}

/** Types a command that leaves its PID and its exit code beside the repository. */
function start(terminal: Terminal, rig: Place, args: string): void {
  terminal.type(
    `rm -f ${rig.aside}/*; sh -c 'echo $$ > ${rig.aside}/pid; exec $ORCH ${args}'; echo $? > ${rig.aside}/code`,
  );
}

const codeOf = (rig: Place): Promise<number> =>
  until(
    () => existsSync(join(rig.aside, 'code')) && readFileSync(join(rig.aside, 'code'), 'utf8').trim() !== '',
    { what: 'the view to end' },
  ).then(() => Number(readFileSync(join(rig.aside, 'code'), 'utf8')));

const pidOf = (rig: Place): number => Number(readFileSync(join(rig.aside, 'pid'), 'utf8'));

/** The settings of the terminal, as words. */
const settingsOf = (terminal: Terminal): string[] =>
  spawnSync('stty', ['-F', terminal.ask('pane_tty'), '-a'], { encoding: 'utf8' }).stdout.split(/[\s;]+/);

/** Nothing of the view is left: keys are echoed in lines, the cursor is seen, the screen is the usual one. */
async function expectSane(terminal: Terminal, isReadline: boolean): Promise<void> {
  // A shell that edits its line by itself has settings of its own while it waits: it must have had the right ones
  // before, which it shows to the programs that it runs.
  if (!isReadline)
    await until(() => settingsOf(terminal).includes('icanon'), { what: 'the settings to be back' });
  terminal.press('C-u');
  // A line of its own for the answer: the prompt may come after what is typed.
  terminal.type('echo; stty -a | tr " ;" "\\n\\n" | grep -cxE "icanon|echo|isig|icrnl|opost"; echo a""live');
  const lines = await terminal.sees((seen) => seen.includes('alive'), 'the shell to answer');
  expect(lines[lines.indexOf('alive') - 1]).toBe('5');
  // It echoes what is typed.
  expect(lines.some((line) => line.includes('grep -cxE'))).toBe(true);
  expect(terminal.ask('cursor_flag')).toBe('1');
  expect(terminal.ask('alternate_on')).toBe('0');
}

/** How the first program of a terminal ended: its exit code, or 128 and its signal. */
async function endOf(terminal: Terminal): Promise<number> {
  const pid = Number(terminal.ask('pane_pid'));
  await until(() => !isAlive(pid), { what: 'the program to end' });
  const told = (): { code: number } | null => {
    const [status, by] = [terminal.ask('pane_dead_status'), terminal.ask('pane_dead_signal')];
    if (status !== '' || by !== '') return { code: status === '' ? 128 + Number(by) : Number(status) };
    // tmux does not always wait for its child (any program, seen with 3.3a): then its zombie tells.
    const waited = waitedOf(pid);
    if (waited === null) return null;
    return { code: (waited & 0x7f) === 0 ? waited >> 8 : 128 + (waited & 0x7f) };
  };
  return (await until(told, { what: 'the end to be told' })).code;
}

/** What a zombie would be waited for with; null where somebody did wait for it. */
function waitedOf(pid: number): number | null {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').trim().split(' ').at(-1));
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** A plan under way, and the view on it. */
async function watching(rig: Rig, terminal: Terminal, args = 'reattach'): Promise<string[]> {
  await rig.orch(['launch']);
  await until(() => rig.record('alpha')['progress'] === '1/2' && rig.status('gamma') === 'failed', {
    what: 'the plan to be under way',
  });
  start(terminal, rig, args);
  return terminal.sees((lines) => stateOf(lines, 'alpha') === 'running', 'the view');
}

afterAll(endAll);

describe.skipIf(missing !== null)('the live view', () => {
  it('has a row for each workstream, and fits the terminal at any size', async () => {
    const rig = rigOf(PLAN);
    const terminal = openTerminal(rig);
    const lines = await watching(rig, terminal);
    expect(rowsOf(lines)).toEqual([
      { id: 'alpha', state: 'running', selected: true },
      { id: 'beta', state: 'running', selected: false },
      { id: 'gamma', state: 'failed', selected: false },
      { id: 'delta', state: 'pending', selected: false },
    ]);
    for (const [columns, rows] of [
      [40, 12],
      [200, 50],
      [80, 8],
      [30, 5],
      [80, 24],
    ] as const) {
      terminal.resize(columns, rows);
      const seen = await terminal.sees(
        // A terminal that grows shows lines of its history for a moment.
        (now) =>
          rowsOf(now).length === (rows >= 12 ? 4 : Math.min(rowsOf(now).length, 4)) &&
          selectedOf(now) === 'alpha' &&
          now.length <= rows &&
          now.every((line) => stringWidth(line) < columns),
        `the view at ${columns}x${rows}`,
      );
      if (rows >= 12) expect(rowsOf(seen).map(({ id }) => id)).toEqual(['alpha', 'beta', 'gamma', 'delta']);
    }
    terminal.press('q');
    expect(await codeOf(rig)).toBe(130);
  });

  it('shows details and logs, whose escape sequences and secrets do not reach the terminal', async () => {
    const rig = rigOf(PLAN);
    const terminal = openTerminal(rig);
    await watching(rig, terminal);
    terminal.press('Enter');
    const details = await terminal.sees((lines) => labelsOf(lines).includes('branch'), 'the details');
    expect(labelsOf(details)).toEqual(expect.arrayContaining(['worker', 'progress', 'now', 'tool', 'time']));
    expect(details[1]).toContain('alpha');
    terminal.press('l');
    const log = await terminal.sees(/red sk-ant-\S*\*/, 'the log');
    expect(log.join('\n')).not.toContain(SECRET);
    expect(terminal.ask('pane_title')).not.toContain('owned');
    expect(terminal.painted()).not.toMatch(/\u001b\[31mred/);
    terminal.press('Escape');
    await terminal.sees((lines) => rowsOf(lines).length === 4, 'the list again');
    terminal.press('?');
    await terminal.sees((lines) => rowsOf(lines).length === 0, 'the help');
    terminal.press('?');
    terminal.press('Down', 'j', 'k');
    await terminal.sees((lines) => selectedOf(lines) === 'beta', 'the next one to be selected');
    terminal.press('q');
    expect(await codeOf(rig)).toBe(130);
  });

  it('stops and retries by the code of the commands, once it is told yes', async () => {
    const rig = rigOf(PLAN);
    const terminal = openTerminal(rig);
    await watching(rig, terminal);
    terminal.press('s', 'n', 'j', 's', 'y');
    await terminal.sees((lines) => stateOf(lines, 'beta') === 'stopped', 'beta to be stopped');
    expect(rig.status('alpha')).toBe('running');
    expect(rig.record('beta')).toMatchObject({ status: 'stopped', reason: { code: 'stopped' } });
    terminal.press('r', 'y');
    await terminal.sees((lines) => stateOf(lines, 'beta') === 'running', 'beta to run again');
    expect(rig.record('beta')).toMatchObject({ status: 'running', attempt: 2 });
    // What cannot be done is said, and ends nothing.
    terminal.press('k', 'r', 'y');
    await terminal.sees(/alpha is at work/, 'the refusal');
    terminal.press('q');
    expect(await codeOf(rig)).toBe(130);
  });

  it('is left with q, and come back to: the work goes on meanwhile', async () => {
    const rig = rigOf(PLAN);
    const terminal = openTerminal(rig);
    await watching(rig, terminal);
    const worker = Number(rig.record('alpha')['pid']);
    terminal.press('q');
    expect(await codeOf(rig)).toBe(130);
    await expectSane(terminal, true);
    // What is final stays on the screen, with its reason.
    expect(terminal.lines().join('\n')).toMatch(/✖ gamma.*\n.*exit code 3/);
    expect(isAlive(worker)).toBe(true);
    start(terminal, rig, 'reattach');
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'running', 'the view again');
    terminal.press('C-c');
    expect(await codeOf(rig)).toBe(130);
    await expectSane(terminal, true);
    expect(isAlive(worker)).toBe(true);
  });

  it('goes to the shell with Ctrl+Z and comes back with fg', async () => {
    const place = await oldRun();
    const terminal = openTerminal(place);
    start(terminal, place, 'status --watch');
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view');
    terminal.press('C-z');
    await terminal.sees(/Stopped/, 'the shell');
    await expectSane(terminal, true);
    terminal.type('fg');
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view again');
    terminal.press('q');
    await terminal.sees((lines) => lines.at(-1) === '$', 'the shell once more');
    terminal.type('echo "code $?"');
    await terminal.sees((lines) => lines.includes('code 0'), 'the exit code');
  });

  it('stays where it is at Ctrl+Z where no shell could continue it', async () => {
    const place = await oldRun();
    const terminal = openTerminal(place, { shell: ['sh', '-c', 'exec $ORCH status --watch'] });
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view');
    terminal.press('C-z');
    terminal.press('j');
    await terminal.sees((lines) => selectedOf(lines) === 'gamma', 'a key to be heard');
    terminal.press('q');
    expect(await endOf(terminal)).toBe(0);
  });

  it.each([['run'], ['reattach']])(
    'of %s ends as interrupted when its terminal is hung up',
    async (command) => {
      const rig = rigOf(PLAN);
      if (command === 'reattach') await rig.orch(['launch']);
      const program = `trap : HUP; sh -c 'echo $$ > ${rig.aside}/pid; exec $ORCH ${command}'; echo $? > ${rig.aside}/code`;
      const terminal = openTerminal(rig, { shell: ['sh', '-c', program] });
      await terminal.sees((lines) => stateOf(lines, 'beta') === 'running', 'the view');
      const view = pidOf(rig);
      terminal.end();
      // A shell that dies of it passes it on; the view may have ended of the hang-up already.
      signal(view, 'SIGHUP');
      expect(await codeOf(rig)).toBe(130);
      expect(rig.status('beta')).toBe(command === 'run' ? 'stopped' : 'running');
    },
  );

  it.each([
    ['status --watch', 'q'],
    ['status', null],
  ])('ends `%s` with its own code when the terminal is hung up at the very end', async (command, key) => {
    const place = await oldRun();
    const preload = join(import.meta.dirname, '../fixtures/programs/hangs-up-at-exit.mjs');
    const server = join(place.aside, 'server');
    const waits = `until [ -s ${server} ]; do sleep 0.05; done; export TERMINAL_PID=$(cat ${server})`;
    // A hang-up is a signal too, which a program without a listener would die of.
    const program = `trap '' HUP; ${waits}; NODE_OPTIONS='--import ${preload}' $ORCH ${command}; echo $? > ${place.aside}/code`;
    const terminal = openTerminal(place, { shell: ['sh', '-c', program] });
    writeFileSync(server, terminal.ask('pid'));
    if (key !== null) {
      await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view');
      terminal.press(key);
    }
    expect(await codeOf(place)).toBe(0);
  });

  it('keeps its terminal until it has ended, so that nobody hangs it up before', async () => {
    const place = await oldRun();
    // Whether the hang-up comes in time is a race, which three of four lost.
    for (let round = 0; round < 4; round += 1) {
      const terminal = openTerminal(place, { shell: ['sh', '-c', 'exec $ORCH status --watch'] });
      await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view');
      terminal.press('q');
      expect(await endOf(terminal)).toBe(0);
    }
  });

  it.each([
    ['bash', 'SIGKILL'],
    ['sh', 'SIGKILL'],
    ['sh', 'SIGSEGV'],
    ['sh', 'SIGTERM'],
    ['sh', 'SIGHUP'],
  ] as const)('leaves the terminal of %s as it was when it ends by %s', async (shell, signal) => {
    const place = await oldRun();
    const terminal = openTerminal(place, shell === 'bash' ? {} : { shell: ['sh'] });
    start(terminal, place, 'status --watch');
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view');
    await until(() => !settingsOf(terminal).includes('icanon'), { what: 'the view to take the keys' });
    const view = pidOf(place);
    process.kill(view, signal);
    await until(() => !isAlive(view), { what: 'the view to end' });
    await expectSane(terminal, shell === 'bash');
  });

  it.each([
    ['TERM', 'dumb'],
    ['CI', 'true'],
  ])('with %s=%s prints a line for each change, as where there is no terminal', async (name, value) => {
    const rig = rigOf(QUICK);
    const terminal = openTerminal(rig, { env: { [name]: value } });
    start(terminal, rig, 'run');
    expect(await codeOf(rig)).toBe(0);
    const lines = await terminal.sees((seen) => seen.includes('1 of 1 completed'), 'the end');
    expect(lines.filter((line) => /^\d\d:\d\d:\d\d alpha \w+/.test(line)).length).toBeGreaterThan(0);
  });

  it('uses neither colour nor Unicode where nobody wants or shows it', async () => {
    const place = await oldRun();
    const terminal = openTerminal(place, { env: { NO_COLOR: '1', LANG: 'C', LC_ALL: 'C' } });
    start(terminal, place, 'status --watch');
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'completed', 'the view');
    const painted = terminal.painted();
    expect(painted).not.toContain('\u001b');
    expect(painted.replaceAll('日本語のタスク', '')).not.toMatch(/[^\n -~]/);
    terminal.press('q');
    expect(await codeOf(place)).toBe(0);
  });

  it('ends by itself when everything is final, with a summary and the exit code of the run', async () => {
    const rig = rigOf({ workstreams: [...QUICK.workstreams, { id: 'gamma', tasks: [{ run: 'exit 3' }] }] });
    const terminal = openTerminal(rig);
    start(terminal, rig, 'run');
    expect(await codeOf(rig)).toBe(1);
    const lines = await terminal.sees((seen) => seen.includes('1 of 2 completed'), 'the summary');
    expect(lines.some((line) => /^✔ alpha +completed/.test(line))).toBe(true);
    await expectSane(terminal, true);
  });

  it('shows an attached run until its workers have stopped, by Ctrl+C or by q and yes', async () => {
    const rig = rigOf(PLAN);
    const terminal = openTerminal(rig);
    start(terminal, rig, 'run');
    await terminal.sees((lines) => stateOf(lines, 'beta') === 'running', 'the view');
    terminal.press('q', 'n');
    terminal.press('j');
    await terminal.sees((lines) => selectedOf(lines) === 'beta', 'the run to go on');
    terminal.press('q', 'y');
    expect(await codeOf(rig)).toBe(130);
    expect(rig.record('beta')).toMatchObject({ status: 'stopped' });
    start(terminal, rig, 'run');
    await terminal.sees((lines) => stateOf(lines, 'beta') === 'running', 'the view of the second run');
    terminal.press('C-c');
    expect(await codeOf(rig)).toBe(130);
    await expectSane(terminal, true);
    expect(rig.record('beta')).toMatchObject({ status: 'stopped', attempt: 2 });
    expect(rig.processes()).toEqual([]);
  });

  it('of an attached run takes a terminal that goes away for a word to stop, and goes to a safe point', async () => {
    const rig = rigOf(PLAN);
    const terminal = openTerminal(rig);
    start(terminal, rig, 'run');
    await terminal.sees((lines) => stateOf(lines, 'beta') === 'running', 'the view');
    const view = pidOf(rig);
    terminal.end();
    await until(() => !isAlive(view), { what: 'the run to end' });
    expect(rig.record('beta')).toMatchObject({ status: 'stopped', reason: { code: 'stopped' } });
    expect(rig.processes()).toEqual([]);
  });

  it('holds nobody up where the terminal takes nothing any more: an attached run goes on', async () => {
    const rig = rigOf({
      workstreams: [
        { id: 'alpha', tasks: [{ run: `while ! test -e $ORCH_ROOT.aside/go; do sleep 0.1; done` }] },
        { id: 'delta', depends_on: ['alpha'], tasks: [{ run: 'echo d > d' }] },
      ],
    });
    const terminal = openTerminal(rig, { columns: 200, rows: 60 });
    start(terminal, rig, 'run');
    await terminal.sees((lines) => stateOf(lines, 'alpha') === 'running', 'the view');
    const view = pidOf(rig);
    const server = Number(terminal.ask('pid'));
    process.kill(server, 'SIGSTOP');
    onTestFinished(() => signal(server, 'SIGCONT'));
    // Each makes it draw everything: more than the kernel holds for a terminal that does not read.
    let drawn = 0;
    const drawAgain = (): boolean => {
      process.kill(view, 'SIGCONT');
      drawn += 1;
      return drawn >= 100;
    };
    await until(drawAgain, { what: 'the terminal to be full' });
    writeFileSync(join(rig.aside, 'go'), '');
    await until(() => rig.status('delta') === 'completed', { what: 'the run to go on' });
    process.kill(server, 'SIGCONT');
    expect(await codeOf(rig)).toBe(0);
  });

  it('scrolls through 200 workstreams with the selected one in sight', async () => {
    const root = makeRoot();
    const ids = Array.from({ length: 200 }, (_, at) => `ws-${String(at + 1).padStart(3, '0')}`);
    await putPlan(root, ids);
    for (const id of ids) await putRecord(root, id, completed);
    const terminal = openTerminal({ root });
    terminal.type('$ORCH status --watch');
    await terminal.sees((lines) => selectedOf(lines) === 'ws-001', 'the view');
    terminal.press('End');
    const end = await terminal.sees((lines) => selectedOf(lines) === 'ws-200', 'the last one');
    expect(rowsOf(end).length).toBeGreaterThan(10);
    terminal.press('PageUp');
    await terminal.sees((lines) => !['ws-200', undefined].includes(selectedOf(lines)), 'a page up');
    terminal.resize(80, 10);
    await terminal.sees((lines) => lines.length <= 10 && selectedOf(lines) !== undefined, 'a small screen');
    terminal.press('Home');
    await terminal.sees((lines) => selectedOf(lines) === 'ws-001', 'the first one');
    terminal.press('q');
    await terminal.sees(/\$$/, 'the shell');
  });
});
