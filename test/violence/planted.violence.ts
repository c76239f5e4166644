import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUGS } from './bugs.ts';
import { whyNone } from './namespace.ts';
import { IN_NAMESPACES, PLOTS } from './plots.ts';
import { buildWith, removeBuild } from './sabotage.ts';

/** The suite finds a planted bug: each safeguard is taken out of the source, and what it kept away is reported. */

const PLOT_BOUND_MS = 300_000;
const builds: string[] = [];

async function made(...[patches]: Parameters<typeof buildWith>): Promise<string> {
  const dist = await buildWith(patches);
  builds.push(dist);
  return dist;
}

afterAll(() => {
  for (const dist of builds) removeBuild(dist);
});

const told = (plot: keyof typeof PLOTS): string =>
  IN_NAMESPACES.has(plot) && whyNone !== null ? ` (skipped: ${whyNone})` : '';
const isSkipped = (plot: keyof typeof PLOTS): boolean => told(plot) !== '';

describe('the build as it is', () => {
  let dist = '';
  beforeAll(async () => {
    dist = await made([]);
  });

  for (const plot of Object.keys(PLOTS) as (keyof typeof PLOTS)[]) {
    it.skipIf(isSkipped(plot))(
      `passes: ${plot}${told(plot)}`,
      { timeout: PLOT_BOUND_MS },
      async (context) => {
        expect(await PLOTS[plot](context, dist)).toEqual([]);
      },
    );
  }
});

describe('a build with a bug', () => {
  for (const { name, patches, plot, guarantee } of BUGS) {
    it.skipIf(isSkipped(plot))(
      `is caught: ${name}${told(plot)}`,
      { timeout: PLOT_BOUND_MS },
      async (context) => {
        const violations = await PLOTS[plot](context, await made(patches));
        expect(violations.map((violation) => violation.guarantee)).toContain(guarantee);
      },
    );
  }
});
