import { homedir } from 'node:os';
import { join } from 'node:path';
import { personEnvironment } from '../rig/repository.ts';

/** Where `scripts/agents/install.sh` puts real tools. */
const CACHE = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const BIN = join(process.env['ORCH_AGENTS_DIR'] ?? join(CACHE, 'orch-agents'), 'bin');

/** A person who has them on PATH. */
export const person = personEnvironment({ PATH: `${BIN}:${process.env['PATH'] ?? ''}` });

/** The built program in which a tool is probed. */
export const PROBE = join(import.meta.dirname, '../../dist/agent-probe.js');
