import { takeLock } from '../../../lib/store/lock.ts';
import { onCommands, say } from './talk.ts';

/** Takes the lock argv[2] within argv[3] ms and holds it until told: `release`, or `exit` without a release. */
const [path = '', boundMs = '0'] = process.argv.slice(2);
try {
  const release = await takeLock(path, { boundMs: Number(boundMs) });
  say('held');
  onCommands({
    release: async () => {
      await release();
      say('released');
    },
    exit: () => process.exit(0),
  });
} catch (error) {
  say(`refused ${(error as { code?: string }).code}`);
}
