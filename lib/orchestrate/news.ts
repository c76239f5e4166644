import type { GatedChild } from '../process/spawn.ts';
import { NEWS_MAX_BYTES, type News, parseNews, type RecordNews } from '../protocol/news.ts';

/** What the attached workers of this process told last, for a live view. The records on disk are the truth. */
export type NewsFeed = {
  publish(id: string, news: News): void;
  /** Calls `listener` at each piece of news, many a second where much is going on; returns how to stop that. */
  subscribe(listener: (id: string, news: News) => void): () => void;
  latest(id: string): Latest | null;
};

type Latest = {
  record: RecordNews | null;
  /** When the logs last grew, by `performance.now()`; null if they have not since this process began. */
  outputAtMs: number | null;
  /** What both logs hold. */
  outputBytes: number;
};

const NOTHING: Latest = { record: null, outputAtMs: null, outputBytes: 0 };

export function makeNewsFeed(): NewsFeed {
  const latest = new Map<string, Latest>();
  const listeners = new Set<(id: string, news: News) => void>();
  return {
    publish(id, news) {
      const before = latest.get(id) ?? NOTHING;
      const now =
        news.type === 'record'
          ? { ...before, record: news }
          : { ...before, outputAtMs: performance.now(), outputBytes: news.bytes };
      latest.set(id, now);
      for (const listener of listeners) listener(id, news);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    latest: (id) => latest.get(id) ?? null,
  };
}

/**
 * Listens to a child that this process started: `onNews` at what it tells, `onExit` as soon as it has ended. Whose news
 * it is follows from the child, never from what it says.
 */
export function listenTo(child: GatedChild, onNews: (news: News) => void, onExit: () => void): void {
  child.onLine(NEWS_MAX_BYTES, (line) => {
    const news = parseNews(line);
    if (news !== null) onNews(news);
  });
  void child.exited.then(onExit);
}
