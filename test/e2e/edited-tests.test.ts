import { afterEach, expect, it } from 'vitest';
import { type ScriptedTurn, scriptedTools } from '../rig/agents.ts';
import { makeRepository, type Rig } from '../rig/repository.ts';

/** The part of a manifest that tells test runners what to do, where an agent adds it. */

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.end();
});

/** A test runner that heeds its key of package.json, as they do. */
const RUNNER = `const { jest } = require('./package.json');
const isBroken = require('node:fs').readFileSync('a.txt', 'utf8') !== 'good';
process.exit(isBroken && jest?.testPathIgnorePatterns === undefined ? 1 : 0);
`;
const MANIFEST = { name: 'a', version: '1.0.0', scripts: { test: 'node runner.cjs' } };

function world(turns: ScriptedTurn[], files: Record<string, string>): Rig {
  const acceptance_tests = [{ run: 'npm test --silent' }];
  const rig = makeRepository(
    { workstreams: [{ id: 'A', tasks: ['Mend it.'], acceptance_tests }] },
    { 'README.md': 'hello\n', 'a.txt': 'bad', 'runner.cjs': RUNNER, ...files },
  );
  rigs.push(rig);
  const config = {
    tools: scriptedTools(rig, { agent: turns }),
    tool: ['agent'],
    heartbeat_interval: '500ms',
  };
  rig.write('orch.config.json', JSON.stringify(config));
  rig.git('add', '--all');
  rig.git('commit', '--quiet', '--message=config');
  return rig;
}

const ignoring = JSON.stringify({ ...MANIFEST, jest: { testPathIgnorePatterns: ['broken'] } });
const told = (rig: Rig): unknown[] =>
  rig.events().flatMap(({ event, paths }) => (event === 'tests_edited' ? [paths] : []));

it('does not decide, and is told of', { timeout: 180_000 }, async () => {
  const rig = world([{ write: { 'package.json': ignoring } }, { write: { 'a.txt': 'good' } }], {
    'package.json': JSON.stringify(MANIFEST),
  });
  expect((await rig.orch(['run', '--json'])).code).toBe(0);
  expect(rig.record('A')).toMatchObject({
    status: 'completed',
    reason: { code: 'tests_edited' },
    tool_runs: [{ outcome: 'verify_failed' }, { outcome: 'done' }],
  });
  expect(told(rig)).toEqual([[{ path: 'package.json', change: 'modified' }]]);
  expect(rig.git('show', 'orch/A:package.json')).toBe(ignoring);
});

it('is told of where the whole manifest is new', { timeout: 180_000 }, async () => {
  const rig = world([{ write: { 'package.json': ignoring, 'a.txt': 'good' } }], {});
  expect((await rig.orch(['run', '--json'])).code).toBe(0);
  expect(rig.record('A')).toMatchObject({ status: 'completed', reason: { code: 'tests_edited' } });
  expect(told(rig)).toEqual([[{ path: 'package.json', change: 'added' }]]);
});
