import { noteLimit } from '../../../lib/store/limits.ts';

/** argv: home, first account, how many: meets a limit of each account, one after the other. */
const [home = '', prefix = '', count = '1'] = process.argv.slice(2);
for (let at = 0; at < Number(count); at += 1) {
  await noteLimit(home, {
    account: `${prefix}-${at}`,
    kind: 'rate_limited',
    retryAfterSeconds: 300,
    why: 'HTTP 429',
    begunAt: Date.now() / 1000,
  });
}
