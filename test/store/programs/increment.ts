import { appendFileSync, closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../../lib/store/lock.ts';

/**
 * argv: lock, counter, journal, rounds. Each round reads the counter, waits, and writes it plus one, which loses
 * counts unless nobody else does the same meanwhile. The journal tells what each holder saw and did.
 */
const [lock = '', counter = '', journal = '', rounds = '1'] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round += 1) {
  await withLock(
    lock,
    async () => {
      const before = Number(readFileSync(counter, 'utf8'));
      appendFileSync(journal, `begin ${process.pid} ${before}\n`);
      await sleep((round % 3) * 2);
      const descriptor = openSync(counter, 'r+');
      writeSync(descriptor, `${before + 1}`.padStart(12), 0);
      closeSync(descriptor);
      appendFileSync(journal, `end ${process.pid} ${before + 1}\n`);
    },
    60_000,
  );
}
