import { parseArgs } from 'node:util';
import { readScript } from '../lib/proof/model-server/control.ts';
import { startModelServer } from '../lib/proof/model-server/server.ts';

/**
 * The fake model server as a program: `npx tsx scripts/model-server.ts --mode edit --edit '{"path": …}' [--port N]`.
 * Several --mode: one a request, the last one repeats. It prints its address and serves until it is ended;
 * `PUT /_script` changes what it answers, `GET /_met` tells what it was asked.
 */
const { values } = parseArgs({
  options: {
    mode: { type: 'string', multiple: true, default: ['text'] },
    edit: { type: 'string', multiple: true, default: [] },
    'retry-after': { type: 'string', default: '1' },
    port: { type: 'string', default: '0' },
  },
});
const script = {
  modes: values.mode,
  edits: values.edit.map((edit): unknown => JSON.parse(edit)),
  retryAfterSeconds: Number(values['retry-after']),
};
const server = await startModelServer(readScript(JSON.stringify(script)), Number(values.port));
process.stdout.write(`${server.url}\n`);
