import { randomBytes } from 'node:crypto';

/**
 * Commands to the runner of GitHub Actions, which reads them from the lines of stdout and stderr. Whatever else is
 * printed comes between `::stop-commands::TOKEN` and `::TOKEN::`, with a token that nobody can know before: nothing
 * that a plan, a log or a reason says becomes a command.
 */
export type Workflow = {
  /** Prints one command; what is printed after it means nothing again. */
  command(name: string, properties: Record<string, string>, text: string): void;
  /** Lets the lines of whatever runs after orch be commands again. */
  close(): void;
};

export function openWorkflow(write: (text: string) => void): Workflow {
  let token = newToken();
  write(stop(token));
  return {
    command(name, properties, text) {
      const given = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(value)}`);
      const head = given.length === 0 ? name : `${name} ${given.join(',')}`;
      const next = newToken();
      // In one write: lines of another process must not come in between.
      write(`::${token}::\n::${head}::${escapeData(text)}\n${stop(next)}`);
      token = next;
    },
    close: () => write(`::${token}::\n`),
  };
}

const newToken = (): string => randomBytes(16).toString('hex');
const stop = (token: string): string => `::stop-commands::${token}\n`;

/** As the runner takes it apart: `%` first. */
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
