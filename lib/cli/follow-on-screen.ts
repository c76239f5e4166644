import { type Followed, type FollowOptions, followUntilFinal } from './follow.ts';
import { isViewWanted } from './view/wanted.ts';

type Options = FollowOptions & {
  /** This process orchestrates: leaving means stopping. */
  attached?: boolean;
  /** What ends the view where it outlives `signal`, to show how the workers are stopped. */
  viewSignal?: AbortSignal;
};

/**
 * As `followUntilFinal`, in the live view where a person's terminal can show one. What it held back of stderr, and a
 * summary, stay on the screen after it.
 */
export async function followOnScreen(root: string, options: Options): Promise<Followed> {
  if (!isViewWanted(options)) return followUntilFinal(root, options);
  const [{ openView }, { summaryText }] = await Promise.all([
    import('./view/view.ts'),
    import('./view/summary.ts'),
  ]);
  const color = options.color ?? true;
  const attached = options.attached === true;
  const view = openView(root, { attached, color });
  const signal = AbortSignal.any([options.viewSignal ?? options.signal, view.left]);
  let followed: Followed;
  try {
    followed = await followUntilFinal(root, { ...options, signal, show: view.show });
  } finally {
    view.close();
  }
  const away = attached ? 'stopped' : 'left';
  const leave = followed.end === 'final' && !options.signal.aborted ? 'over' : away;
  process.stdout.write(summaryText(followed.list, leave, color));
  return followed;
}
