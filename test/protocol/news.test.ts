import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NEWS_MAX_BYTES, parseNews, recordNews } from '../../lib/protocol/news.ts';
import { STATES } from '../../lib/protocol/status.ts';

const news = fc.record({
  status: fc.constantFrom(...STATES),
  progress: fc.string({ unit: 'binary', maxLength: 600 }),
  current_task: fc.option(fc.string({ unit: 'binary', maxLength: 2_000 })),
  tool: fc.option(fc.string({ unit: 'binary' })),
});

it('fits in a line whatever a record says, and comes back', () => {
  fc.assert(
    fc.property(news, (record) => {
      const line = JSON.stringify(recordNews(record));
      expect(line).not.toContain('\n');
      expect(parseNews(line)).toEqual(recordNews(record));
    }),
  );
  // The worst that JSON can make of a text: six characters for each byte.
  const worst = '\u0001'.repeat(5_000);
  const line = JSON.stringify(
    recordNews({ status: 'running', progress: worst, current_task: worst, tool: worst }),
  );
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(NEWS_MAX_BYTES);
});

it('means nothing where it is anything else', () => {
  const forged = [
    '',
    'x',
    '[]',
    'null',
    '{"type":"record","status":"unheard","progress":"1/2","current_task":null,"tool":null}',
    '{"type":"record","status":"completed","progress":1,"current_task":null,"tool":null}',
    '{"type":"record","status":"completed","progress":"1/1","current_task":{},"tool":null}',
    '{"type":"output","bytes":-1}',
    '{"type":"output","bytes":1e999}',
    '{"type":"kill","bytes":1}',
  ];
  expect(forged.map(parseNews)).toEqual(forged.map(() => null));
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => void parseNews(line)));
});
