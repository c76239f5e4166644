import { type Role, takeRole } from '../../../lib/store/role.ts';
import { onCommands, say } from './talk.ts';

/** argv: root. Takes the orchestrator's role when told, and does with it what it is told. */
const [root = ''] = process.argv.slice(2);
let role: Role | null = null;
say('ready');
onCommands({
  take: async (boundMs) => {
    role = await takeRole(root, { role: 'orchestrator', pid: process.pid }, Number(boundMs));
    say('taken');
  },
  announce: async () => {
    await role?.announce('detached');
    say('announced');
  },
  bequeath: async (pid) => {
    await role?.bequeath(Number(pid));
    say('bequeathed');
  },
  resign: async () => {
    await role?.resign();
    say('resigned');
  },
  release: async () => {
    await role?.release();
    say('released');
  },
});
