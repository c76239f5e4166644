/** What the runner of GitHub Actions takes for commands in the output of a step: `::name props::text` and `##[name]`. */
export type RunnerCommand = { name: string; properties: string; text: string };

// A line ends at a newline alone: U+2028 and U+2029 are characters like others.
const V2 = /^\s*::([^\s:]+)(?: ([^:]*))?::(.*)$/s;
const V1 = /##\[([^\s\]]+)(?: ([^\]]*))?\](.*)$/s;

export function readAsRunner(output: string): { commands: RunnerCommand[]; isStopped: boolean } {
  const commands: RunnerCommand[] = [];
  let token: string | null = null;
  for (const line of output.split('\n')) {
    const found = V2.exec(line) ?? V1.exec(line);
    if (found === null) continue;
    const [, name = '', properties = '', text = ''] = found;
    if (token !== null) {
      if (name === token) token = null;
    } else if (name === 'stop-commands') token = text;
    else commands.push({ name, properties, text });
  }
  return { commands, isStopped: token !== null };
}
