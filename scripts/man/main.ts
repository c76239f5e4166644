import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manPage } from './page.ts';

/** `npm run man`: writes man/orch.1 anew. A test fails where it is not current. */
const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
mkdirSync(join(root, 'man'), { recursive: true });
writeFileSync(join(root, 'man/orch.1'), await manPage(version));
