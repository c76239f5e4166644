import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { isAlive, type Rig, signal, until, wholeLines } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 120_000 });

const PLAN = {
  workstreams: [
    { id: 'A', tasks: [{ run: 'exit 7' }] },
    { id: 'B', tasks: [{ run: 'true' }] },
  ],
};

const withNotify = (notify: unknown, plan: unknown = PLAN): Rig =>
  rigOf(plan, { 'README.md': 'x\n', 'orch.config.json': JSON.stringify({ notify, restart: 0 }) });

type Received = { path: string; headers: Record<string, unknown>; body: string };

/** A server on loopback that answers `status`, and what it was sent. */
async function listen(
  answer: Partial<Record<string, number>> = {},
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      const status = answer[request.url ?? ''] ?? 200;
      // Never: it takes the question and says nothing.
      if (status === 0) return;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

const linesOf = (path: string): Record<string, unknown>[] => wholeLines(path).map((line) => JSON.parse(line));

const notesOf = (rig: Rig): Record<string, unknown>[] =>
  rig.events().filter(({ event }) => event === 'notify');

const sorted = (values: unknown[]): unknown[] => [...values].sort();

it('tells a command and webhooks of a failure and of the end, each once, and gives them no secrets', async () => {
  const { url, received } = await listen();
  const rig = withNotify([
    { command: 'cat >> "$ORCH_NOTIFY_REPOSITORY.aside/told"; env > "$ORCH_NOTIFY_REPOSITORY.aside/env"' },
    { on: ['failed'], webhook: `${url}/topic`, shape: 'ntfy' },
    { on: ['final'], webhook_env: 'HOOK', shape: 'slack' },
  ]);
  const env = { HOOK: `${url}/secret`, ANTHROPIC_API_KEY: 'sk-secret', ORCH_LLM_API_KEY: 'sk-too' };
  expect(await rig.orch(['run'], { env })).toMatchObject({ code: 1 });
  const told = linesOf(join(rig.aside, 'told'));
  expect(sorted(told.map(({ event }) => event))).toEqual(['failed', 'final']);
  expect(told.find(({ event }) => event === 'failed')).toMatchObject({
    schema: 'orch.notify/1',
    title: 'A failed',
    workstreams: [{ workstream: 'A', status: 'failed', reason: { code: 'error' } }],
    summary: { total: 2 },
  });
  expect(told.find(({ event }) => event === 'final')).toMatchObject({ title: '1 of 2 completed' });
  expect(sorted(received.map(({ path }) => path))).toEqual(['/secret', '/topic']);
  expect(received.find(({ path }) => path === '/topic')?.headers).toMatchObject({
    title: 'orch: A failed',
    priority: '4',
  });
  expect(JSON.parse(received.find(({ path }) => path === '/secret')?.body ?? '')).toMatchObject({
    text: expect.stringContaining('1 of 2 completed'),
  });
  const given = readFileSync(join(rig.aside, 'env'), 'utf8');
  expect(given).not.toMatch(/sk-secret|sk-too|ORCH_(?!NOTIFY_)/);
  // The secret URL stands nowhere.
  for (const path of ['.status/_plan.json', '.logs/_events.ndjson'])
    expect(rig.read(path)).not.toContain('/secret');
  expect(notesOf(rig)).toHaveLength(4);
  // What was told is not told again: nobody new has anything new to say.
  expect((await rig.orch(['reattach'])).code).toBe(1);
  for (const args of [['status'], ['plan'], ['run', '--dry-run'], ['reattach', '--once']])
    await rig.orch(args);
  expect(linesOf(join(rig.aside, 'told'))).toHaveLength(2);
  // Another attempt is another thing.
  await rig.orch(['retry', 'A']);
  await rig.orch(['wait']);
  await until(() => linesOf(join(rig.aside, 'told')).length === 4, { what: 'the second failure' });
});

it('is held up by no notifier that hangs, fails, forks, is missing or answers nothing', async () => {
  const { url, received } = await listen({ '/never': 0, '/away': 302, '/broken': 500 });
  const note = '"$ORCH_NOTIFY_REPOSITORY.aside';
  const rig = withNotify(
    [
      { command: `trap '' TERM; echo $$ > ${note}/hangs"; while :; do sleep 1; done` },
      { command: 'exit 3' },
      { command: 'no-such-program-here' },
      {
        command: `(setsid sh -c 'echo $$ > ${note}/forked"; exec sleep 300' &) ; while [ ! -s ${note}/forked" ]; do sleep 0.05; done`,
      },
      { webhook: `${url}/never` },
      { webhook: `${url}/away` },
      { webhook: `${url}/broken` },
      { webhook: 'http://127.0.0.1:1/closed' },
      { webhook_env: 'NOT_THERE' },
    ].map((one) => ({ on: ['final'], ...one })),
    { workstreams: [{ id: 'B', tasks: [{ run: 'true' }] }] },
  );
  const begun = performance.now();
  expect(await rig.orch(['run'])).toMatchObject({ code: 0 });
  expect(performance.now() - begun).toBeLessThan(45_000);
  const notes = notesOf(rig);
  expect(notes.map(({ ok }) => ok).filter(Boolean)).toHaveLength(1);
  expect(notes).toHaveLength(9);
  // One that hangs is given its time, whatever the others do.
  expect(notes.find(({ why }) => String(why).startsWith('notifier 1 '))?.['why']).toMatch(/in time$/);
  expect(sorted(received.map(({ path }) => path))).toEqual(['/away', '/broken', '/never']);
  const pids = ['hangs', 'forked'].map((name) => Number(readFileSync(join(rig.aside, name), 'utf8')));
  expect(pids.filter(isAlive)).toEqual([]);
  expect(
    rig.events().filter(({ event, pid }) => event === 'signal' && pids.includes(pid as number)),
  ).not.toEqual([]);
  // Each once in the log, and never the address.
  const log = rig.read('.logs/_orchestrator.log');
  expect(log.match(/could not|cannot be reached|exit code|did not|not set|answered/g)).toHaveLength(8);
  expect(log).not.toContain('/closed');
});

it('tells once more what an orchestrator did not live to tell, and no more than that', async () => {
  const note = '"$ORCH_NOTIFY_REPOSITORY.aside';
  const rig = withNotify(
    [{ on: ['failed'], command: `echo $$ >> ${note}/pids"; while [ ! -e ${note}/go" ]; do sleep 0.1; done` }],
    {
      workstreams: [
        { id: 'A', tasks: [{ run: 'exit 7' }] },
        { id: 'B', tasks: [{ run: 'while [ ! -e "$ORCH_ROOT.aside/go" ]; do sleep 0.1; done' }] },
      ],
    },
  );
  const pids = (): number[] => wholeLines(join(rig.aside, 'pids')).map(Number);
  await rig.orch(['launch']);
  for (const round of [1, 2]) {
    await until(() => pids().length === round, { what: `notification ${round}` });
    const orchestrator = rig.pid('_orchestrator');
    signal(orchestrator, 'SIGKILL');
    await until(() => !isAlive(orchestrator), { what: 'the end of the orchestrator' });
    const watcher = rig.start(['reattach', '--quiet']);
    await until(() => rig.pid('_orchestrator') !== orchestrator, { what: 'another orchestrator' });
    signal(watcher.pid, 'SIGKILL');
    await watcher.finished;
  }
  // The second has no successor that tells it again, and is ended all the same.
  await until(() => pids().every((pid) => !isAlive(pid)), {
    what: 'the commands that were left to be ended',
  });
  rig.write(`../${rig.root.split('/').at(-1)}.aside/go`, '');
  expect((await rig.orch(['reattach'])).code).toBe(1);
  expect(pids()).toHaveLength(2);
  expect(pids().filter(isAlive).slice(0, 1)).toEqual([]);
});
