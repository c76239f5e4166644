import { openChannel } from '../process/channel.ts';
import { recordNews } from '../protocol/news.ts';
import type { StatusRecord } from '../protocol/status.ts';
import { logSizes } from './log.ts';

export type Newscast = {
  /** Tells what a record on disk now says. */
  record(record: StatusRecord): void;
};

const OUTPUT_EVERY_MS = 1_000;

/**
 * For an attached worker: tells its orchestrator of each record that is on disk, and each second whether the logs
 * have grown. Nobody waits for it, whoever reads or does not. `onLost` is called once the orchestrator is gone.
 */
export function beginNews(onLost: () => void): Newscast {
  const teller = openChannel(onLost);
  let told = -1;
  const look = (): void => {
    const { out, err } = logSizes();
    if (out + err === told) return;
    told = out + err;
    teller.tell('output', JSON.stringify({ type: 'output', bytes: told }));
  };
  setInterval(look, OUTPUT_EVERY_MS).unref();
  return { record: (record) => teller.tell('record', JSON.stringify(recordNews(record))) };
}
