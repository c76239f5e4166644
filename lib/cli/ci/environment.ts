/** Whether this process runs where nobody looks at a terminal, by the variables that CI systems set. */
export function ciOf(environment: NodeJS.ProcessEnv = process.env): 'github' | 'other' | null {
  if (isSet(environment['GITHUB_ACTIONS'])) return 'github';
  return isSet(environment['CI']) ? 'other' : null;
}

/** `CI=false` and `CI=0` are how people say no. */
function isSet(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value.toLowerCase());
}
