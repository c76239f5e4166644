import { OrchError } from '../errors.ts';

/** The design document names what a process does by a mode; the command line by a verb. */
const VERB_OF_MODE: Readonly<Record<string, string>> = { orchestrator: 'run', worker: 'worker' };

/**
 * `--mode orchestrator …` as `run …`, `--mode worker …` as `worker …`; what begins with a verb stays as it is.
 * @throws OrchError USAGE for another mode, or for two.
 */
export function withoutMode(argv: readonly string[]): readonly string[] {
  if (argv[0] === undefined || !argv[0].startsWith('-')) return argv;
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const at = argv.slice(0, end).findIndex((word) => word === '--mode' || word.startsWith('--mode='));
  if (at === -1) return argv;
  const isOneWord = argv[at] !== '--mode';
  const mode = isOneWord ? argv[at]?.slice('--mode='.length) : argv[at + 1];
  const verb = VERB_OF_MODE[mode ?? ''];
  const rest = [...argv.slice(0, at), ...argv.slice(at + (isOneWord ? 1 : 2))];
  const isTwice = rest.some((word) => word === '--mode' || word.startsWith('--mode='));
  if (verb === undefined || isTwice) {
    const said = isTwice ? 'was given twice' : `is orchestrator or worker, not ${JSON.stringify(mode ?? '')}`;
    const hint = '`--mode orchestrator` is `orch run`, `--mode worker` is `orch worker`.';
    throw new OrchError('USAGE', `--mode ${said}`, { hint });
  }
  return [verb, ...rest];
}
