import { test } from 'vitest';
import { namesInSource, scenarioNamed, traceOf } from './cases.ts';
test('trace', { timeout: 300_000 }, async () => {
  const trace = await traceOf(scenarioNamed('agents'));
  const names = new Set([...trace.values()].map(({ name }) => name));
  const isReached = (place: string) => { const p = new RegExp(`^${place.replaceAll('.', '\\.').replace('*', '[\\w-]+')}$`); return [...names].some((n) => p.test(n)); };
  const mine = namesInSource().filter((n) => /scratch|agent|undo|turn|limit|repair|tools\./.test(n));
  console.log(mine.map((n) => `${isReached(n) ? 'ok' : 'NOT'} ${n}`).join('\n'));
  console.log([...names].filter((n) => /limits/.test(n)).join(' '));
});
