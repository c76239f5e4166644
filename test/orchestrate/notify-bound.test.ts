import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { aborted, type Bound, boundOf } from '../../lib/orchestrate/notify/bound.ts';
import { until } from '../rig/repository.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

it('bounds a send, whatever node collects meanwhile', async () => {
  const closing = new AbortController();
  let isOver = false;
  // Nobody but the wait holds the bound.
  const wait = async (): Promise<void> => {
    await aborted(boundOf(closing.signal, 300).signal);
    isOver = true;
  };
  void wait();
  const look = (): boolean => {
    collectGarbage();
    return isOver;
  };
  await until(look, { what: 'the bound' });
  expect(closing.signal.aborted).toBe(false);
});

it('cuts a send off with the orchestrator, and knows one that was before', async () => {
  const closing = new AbortController();
  const bounds: Bound[] = [boundOf(closing.signal, 60_000)];
  const [bound] = bounds;
  expect(bound?.signal.aborted).toBe(false);
  closing.abort();
  expect(bound?.signal.aborted).toBe(true);
  const late = boundOf(closing.signal, 60_000);
  expect(await aborted(late.signal)).toBe('aborted');
  for (const { rest } of [...bounds, late]) rest();
});

it('needs no bound once a send is over', async () => {
  const closing = new AbortController();
  const { signal, rest } = boundOf(closing.signal, 60_000);
  rest();
  closing.abort();
  expect(signal.aborted).toBe(false);
});
