import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** `npm run fuzz -- [--minutes M] [--seed S]`: the properties of test/hostile for M minutes a file (10), not a few runs. */

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? null : Number(values.seed);
if (!(minutes > 0) || (seed !== null && !Number.isInteger(seed))) {
  process.stderr.write('fuzz: --minutes is a number above 0, --seed an integer that a failure printed\n');
  process.exit(2);
}
const env = {
  ...process.env,
  FUZZ_MINUTES: String(minutes),
  ...(seed === null ? {} : { FUZZ_SEED: String(seed) }),
};
const done = spawnSync('npx', ['vitest', 'run', 'test/hostile'], { stdio: 'inherit', env });
process.exit(done.status ?? 1);
