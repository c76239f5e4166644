import type { StatusList } from '../orchestrate/poll.ts';
import { maskSecrets } from '../protocol/mask.ts';
import { escapeControls } from '../protocol/text.ts';

const plain = (text: string): string => escapeControls(maskSecrets(text));

/** Says how a run ended, with what is not completed on stderr: exit code 0 if all is, else 1. */
export function tellEnd(list: StatusList, output: { json: boolean; quiet: boolean }): number {
  const unfinished = list.workstreams.filter(
    ({ verdict }) => verdict !== 'completed' && verdict !== 'merged',
  );
  if (!output.json) {
    const { total } = list.summary;
    if (!output.quiet) process.stdout.write(`${total - unfinished.length} of ${total} completed\n`);
    for (const { workstream, verdict, reason } of unfinished) {
      const { message, hint } = reason ?? { message: '', hint: null };
      const next = hint === null ? '' : `\n  ${plain(hint)}`;
      process.stderr.write(`orch: ${workstream} ${verdict}: ${plain(message)}${next}\n`);
    }
  }
  return unfinished.length === 0 ? 0 : 1;
}
