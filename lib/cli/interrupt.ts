/**
 * Aborted by the first Ctrl+C, SIGTERM or hang-up; a second one ends the process at once. The listeners stay:
 * libraries that clean up at exit end a process whose only listener is gone.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
