/** Draws at most once in a while, and again later where the line was still at the last frame. */
export type Pace = {
  /** At once: a person pressed a key. */
  now(): void;
  /** As soon as it may be. */
  soon(): void;
  /** Nothing is drawn any more. */
  end(): void;
};

/** `draw` returns false where the line is not ready for it. */
export function paceOf(draw: () => boolean, gapMs: number): Pace {
  let timer: NodeJS.Timeout | null = null;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isOver = false;
  const now = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (isOver) return;
    drawnAt = performance.now();
    // A slow line gets fewer frames, never older ones.
    if (!draw()) timer = setTimeout(now, gapMs);
  };
  return {
    now,
    soon() {
      const waitMs = drawnAt + gapMs - performance.now();
      if (waitMs <= 0) now();
      else timer ??= setTimeout(now, waitMs);
    },
    end() {
      isOver = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
