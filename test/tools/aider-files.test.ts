import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { filesForChat } from '../../lib/tools/aider-files.ts';
import { endAgents, makeBench } from './rig.ts';

afterEach(endAgents);

function chosen(files: Record<string, string | Buffer>, prompt = '', more: string[] = []): string[] {
  const { worktree, scratch } = makeBench();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(worktree, path)), { recursive: true });
    writeFileSync(join(worktree, path), content);
  }
  writeFileSync(join(scratch, 'outside'), 'x');
  symlinkSync(join(scratch, 'outside'), join(worktree, 'link'));
  symlinkSync(scratch, join(worktree, 'folder'));
  const present = [...Object.keys(files), ...more];
  return filesForChat({ prompt, worktree, files: { present, toCreate: [], isInside: () => true } });
}

it('are those that the prompt names, then the others, in plan order', () => {
  expect(chosen({ 'a.py': '1', 'b.py': '2', 'src/c.py': '3' }, 'Mend src/c.py.')).toEqual([
    'src/c.py',
    'a.py',
    'b.py',
  ]);
});

it('are text of this worktree, without keys, and not all that there is', () => {
  const big = 'x'.repeat(101 * 1024);
  const files = {
    'a.txt': '1',
    'b.bin': Buffer.from([1, 0, 2]),
    'big.txt': big,
    '.env': 'K=1',
    'app/.env.local': 'K=1',
  };
  expect(chosen(files, '', ['link', 'folder/outside', 'absent', 'folder'])).toEqual(['a.txt']);
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`f${at}`, 'x']));
  expect(chosen(many)).toHaveLength(20);
  const large = Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`f${at}`, 'x'.repeat(60 * 1024)]));
  expect(chosen(large)).toHaveLength(3);
});
