import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sshMissing } from '../../test/rig/ssh.ts';
import { parseCast, screensAt } from './cast.ts';
import { recordSession } from './session.ts';
import { toSvg } from './svg.ts';

/**
 * `npx tsx scripts/picture/main.ts`: records a real session into docs/session.cast (play it with `asciinema play`) and
 * draws docs/picture.svg of its screens. With `--draw` only the latter, from the recording that is there. Needs a
 * built orch, and tmux; to record also root, sshd, `ip` and util-linux.
 */

const SIZE = { columns: 100, rows: 22 };
const TITLE = 'orch: launched over SSH, the connection drops, and the work is found done';

const home = join(import.meta.dirname, '../..');
const orch = join(home, 'dist/orch.js');
const castPath = join(home, 'docs/session.cast');
const onlyDraw = process.argv.includes('--draw');

if (!onlyDraw) {
  const missing = sshMissing();
  if (missing !== null || !existsSync(orch)) throw new Error(missing ?? 'orch is not built: npm run build');
  writeFileSync(castPath, await recordSession(orch, SIZE));
}
const cast = parseCast(readFileSync(castPath, 'utf8'));
const screens = await screensAt(cast);
// What was typed is above the screen by then: the view scrolls it away.
const typed = ['\u001b[90mada@server:~/shop$ orch reattach\u001b[0m'];
const shown = [...screens].map(([label, lines]) => (label === 'launched' ? lines : [...typed, ...lines]));
writeFileSync(join(home, 'docs/picture.svg'), toSvg(shown, cast.size.columns, TITLE));
