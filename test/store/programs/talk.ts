import { createInterface } from 'node:readline';

/** One line to the test. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Carries out commands of the test, one a line; the program ends with its stdin. */
export function onCommands(commands: Record<string, (argument: string) => unknown>): void {
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const [name = '', argument = ''] = line.split(' ');
    try {
      await commands[name]?.(argument);
    } catch (error) {
      say(`failed ${(error as { code?: string }).code} ${String(error)}`);
    }
  });
}
