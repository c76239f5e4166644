import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { anyRecord } from '../protocol/arbitraries.ts';
import { schemaFaults } from '../rig/json-schema.ts';
import { ORCH } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** `orch schema` of the bundle alone, with no package beside it, and what real runs write judged by it. */

type Schema = Record<string, unknown>;
const schemas: Record<string, Schema> = {};
let folder = '';

const bundle = (...args: string[]) =>
  execa(process.execPath, [join(folder, 'dist/orch.js'), ...args], { cwd: folder, reject: false });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'orch-schema-'));
  cpSync(dirname(realpathSync(ORCH)), join(folder, 'dist'), { recursive: true });
  for (const name of ['status', 'plan', 'config', 'event']) {
    const { exitCode, stdout, stderr } = await bundle('schema', name);
    expect([name, exitCode, stderr]).toEqual([name, 0, '']);
    schemas[name] = JSON.parse(stdout) as Schema;
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const faultsIn = (name: string, value: unknown): string[] => schemaFaults(schemas[name] ?? {}, value);

describe('orch schema', () => {
  it('prints JSON Schema 2020-12, all as one document, and refuses other names', async () => {
    for (const schema of Object.values(schemas))
      expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    const { $defs } = JSON.parse((await bundle('schema')).stdout) as { $defs: Record<string, Schema> };
    for (const [name, schema] of Object.entries(schemas))
      expect({ $schema: schema['$schema'], ...$defs[name] }).toEqual(schema);
    expect((await bundle('schema', 'nothing')).exitCode).toBe(2);
  });

  it('fits every record that orch can write, and no other', () => {
    fc.assert(
      fc.property(anyRecord, (one) => {
        expect(faultsIn('status', JSON.parse(encodeRecord(one)))).toEqual([]);
      }),
      { numRuns: 200 },
    );
    const [sample] = fc.sample(anyRecord, 1);
    for (const wrong of [{ status: 'finished' }, { attempt: -1 }, { progress: 3 }, { last_update: null }])
      expect(faultsIn('status', { ...sample, ...wrong })).not.toEqual([]);
  });

  it('fits plans as people write them', () => {
    const plan = {
      workstreams: [
        {
          id: 'A',
          title: 'a',
          tasks: ['a prompt', { run: 'true', timeout: 5 }, { prompt: 'p', tool: ['aider'] }],
          steps: [{ id: 's', tasks: ['t'], acceptance_tests: [{ prose: 'nice' }, 'npm test'] }],
          env: { A: 'b' },
          metadata: { priority: 'high', anything: [1] },
          circuit_breaker: { max_attempts: 2 },
        },
      ],
    };
    expect(faultsIn('plan', plan)).toEqual([]);
    expect(faultsIn('plan', plan.workstreams)).toEqual([]);
    expect(faultsIn('plan', plan.workstreams[0])).toEqual([]);
    for (const wrong of [
      { tasks: ['x'] },
      { id: 'A', tasks: 'x' },
      { id: 'A', tasks: [{ run: 1 }] },
      { id: 'A', steps: [{ id: 's' }] },
    ])
      expect([wrong, faultsIn('plan', wrong)]).not.toEqual([wrong, []]);
  });

  it('fits configs, and no unknown field', () => {
    const config = { max_parallel: 2, timeout: '8h', tool: ['aider'], require_env: ['A_KEY'] };
    expect(faultsIn('config', config)).toEqual([]);
    for (const wrong of [{ max_parallel: 0 }, { maxParallel: 2 }, { api_key: 'x' }, { require_env: ['A=b'] }])
      expect([wrong, faultsIn('config', wrong)]).not.toEqual([wrong, []]);
  });

  it('fits what a real run leaves behind and prints', async () => {
    const plan = [
      { id: 'good', tasks: [{ run: 'true' }], acceptance_tests: ['true', { prose: 'nice' }] },
      { id: 'bad', tasks: [{ run: 'exit 3' }] },
      { id: 'late', tasks: [{ run: 'sleep 30' }], timeout: '1s' },
      { id: 'after', tasks: [{ run: 'true' }], depends_on: ['bad'] },
    ];
    const rig = rigOf(plan);
    expect(faultsIn('plan', plan)).toEqual([]);
    const { code, stdout } = await rig.orch(['run', '--json', '--restart', '0', '--max-parallel', '4']);
    expect(code).toBe(1);
    const printed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const repaired = await rig.orch(['reattach', '--once', '--json']);
    const acted = repaired.stdout.split('\n').filter((line) => line !== '');
    for (const event of [...printed, ...rig.events(), ...acted.map((line) => JSON.parse(line) as unknown)])
      expect([event, faultsIn('event', event)]).toEqual([event, []]);
    expect(printed.length).toBeGreaterThan(4);
    const ids = readdirSync(join(rig.root, '.status')).filter((name) => /^[a-z]+\.json$/.test(name));
    expect(ids.sort()).toEqual(['after.json', 'bad.json', 'good.json', 'late.json']);
    for (const name of ids) {
      const written = JSON.parse(readFileSync(join(rig.root, '.status', name), 'utf8')) as unknown;
      expect([name, faultsIn('status', written)]).toEqual([name, []]);
    }
    expect(faultsIn('event', { at: 1, event: 'state' })).not.toEqual([]);
  });
});
