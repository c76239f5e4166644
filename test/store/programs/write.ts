import { writeDurably } from '../../../lib/store/durable.ts';
import { say } from './talk.ts';

/** argv: path. Writes a file of one repeated letter, over and over, until it is killed. */
const [path = ''] = process.argv.slice(2);
for (let round = 0; ; round += 1) {
  await writeDurably(path, `${String.fromCharCode(97 + (round % 26)).repeat(3000)}\n`);
  if (round === 0) say('writing');
}
