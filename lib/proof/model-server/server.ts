import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OrchError } from '../../errors.ts';
import { type Asked, apiOf, readAsk } from './ask.ts';
import { canEdit } from './calls.ts';
import { control } from './control.ts';
import { faultOf } from './faults.ts';
import { type Met, metOf } from './met.ts';
import { DEFAULT_SCRIPT, type Mode, type Script } from './modes.ts';
import { type Meeting, meet } from './reply.ts';
import { dropAnswer, sendAnswer, sendJson, sendOther } from './send.ts';

export type ModelServer = {
  /** `http://127.0.0.1:PORT`, without `/v1`. */
  url: string;
  port: number;
  /** From now on it answers so; what is not named is as it is by default. Modes begin anew. */
  play(script: Partial<Script>): void;
  /** Those that asked a model, oldest first. */
  asked(): readonly Met[];
  /** All others too: what a client looked for beside its model. */
  met(): readonly Met[];
  close(): Promise<void>;
};

const KEPT_PROMPTS = 50;
const MAX_BODY = 64 * 1024 * 1024;

/** A fake of the model APIs on loopback. It answers by its script, whoever asks and whatever the key. */
export async function startModelServer(script: Partial<Script> = {}, port = 0): Promise<ModelServer> {
  const state = newState(script);
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => {
      if (error instanceof OrchError && !response.headersSent)
        return sendJson(response, 400, { error: { message: error.message, type: error.code } });
      // The client went away, or sent what cannot be read: its own loss, and no other's.
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${actual}`,
    port: actual,
    play: (next) => play(state, next),
    asked: () => state.met.filter(({ api }) => api !== null),
    met: () => state.met,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Also those that `never` holds.
        server.closeAllConnections();
      }),
  };
}

type State = { script: Script; played: number; editsGiven: number; met: Met[]; beganAt: number };

function newState(script: Partial<Script>): State {
  return {
    script: { ...DEFAULT_SCRIPT, ...script },
    played: 0,
    editsGiven: 0,
    met: [],
    beganAt: performance.now(),
  };
}

function play(state: State, script: Partial<Script>): void {
  Object.assign(state, { script: { ...DEFAULT_SCRIPT, ...script }, played: 0, editsGiven: 0 });
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const body = await bodyOf(request);
  const controlled = control(request.method ?? 'GET', pathname, body, {
    play: (script) => play(state, script),
    met: state.met,
  });
  if (controlled !== null) return sendJson(response, 200, controlled);
  const api = request.method === 'POST' ? apiOf(pathname) : null;
  const asked = api === null ? null : readAsk(api, pathname, parsed(body));
  const isTask = asked !== null && isAboutTask(asked);
  const mode = asked === null ? null : nextMode(state, isTask);
  note(state, { ...metOf(request, pathname, body.length, asked), mode, isTask });
  if (asked === null || mode === null) return sendOther(response, pathname);
  const met = meet(mode, asked, state.script, state.editsGiven);
  if (isTask && (mode === 'edit' || mode === 'wrong_then_right')) state.editsGiven += 1;
  await respond(response, asked, isTask ? met : aside(met), state);
}

/** Titles, summaries and the like are asked without tools, by clients that have tools for the task itself. */
function isAboutTask(asked: Asked): boolean {
  return canEdit(asked) || !SIDE_REQUEST.test(asked.prompt.slice(0, 20_000));
}
const SIDE_REQUEST =
  /title generator|generate a (?:short |concise )?title|conversation (?:title|topic)|summarize this coding conversation|complexity (?:score|router)|model (?:router|routing)/i;

/** A side request that would be given an edit is told some text. */
function aside(met: Meeting): Meeting {
  return met.kind === 'reply' ? { kind: 'reply', reply: { text: 'A task', call: null } } : met;
}

function nextMode(state: State, isTask: boolean): Mode {
  const { modes } = state.script;
  const mode = modes[Math.min(state.played, modes.length - 1)];
  if (mode === undefined) throw new OrchError('INTERNAL', 'a model server without a mode');
  if (isTask) state.played += 1;
  return mode;
}

async function respond(response: ServerResponse, asked: Asked, met: Meeting, state: State): Promise<void> {
  switch (met.kind) {
    case 'never':
      return;
    case 'fault': {
      const fault = faultOf(asked.api, met.mode, asked.model, state.script.retryAfterSeconds);
      return sendJson(response, fault.status, fault.body, fault.headers);
    }
    case 'dropped':
      return dropAnswer(response, asked, met.reply);
    case 'reply':
      return sendAnswer(response, asked, met.reply, String(state.met.length));
  }
}

function note(state: State, met: Omit<Met, 'atMs'>): void {
  state.met.push({ atMs: performance.now() - state.beganAt, ...met });
  const old = state.met.at(-1 - KEPT_PROMPTS);
  if (old !== undefined) old.prompt = null;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new OrchError('USAGE', 'a request of more than 64 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
