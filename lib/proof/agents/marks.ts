import { ENV } from '../../protocol/layout.ts';

export const WORKSTREAM = 'probe';

/** What is passed on of a person's environment: how programs are found and texts are written, but no setting of a tool. */
const PASSED =
  /^(?:PATH|LANG|LC_\w+|TERM|TZ|USER|LOGNAME|SHELL|PYENV_ROOT|NVM_DIR|VOLTA_HOME|ASDF_\w*DIR|LD_LIBRARY_PATH)$/;

/** The environment of a probe: a home of its own, the marks by which its processes are found, and no key. */
export function probeEnvironment(
  person: NodeJS.ProcessEnv,
  place: { repository: string; home: string },
  token: string,
): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(person))
    if (value !== undefined && PASSED.test(name)) passed[name] = value;
  const { home, repository } = place;
  return {
    ...passed,
    HOME: home,
    XDG_CONFIG_HOME: `${home}/.config`,
    XDG_CACHE_HOME: `${home}/.cache`,
    XDG_DATA_HOME: `${home}/.local/share`,
    XDG_STATE_HOME: `${home}/.local/state`,
    NO_PROXY: '127.0.0.1,localhost',
    NO_COLOR: '1',
    BROWSER: 'true',
    [ENV.root]: repository,
    [ENV.workstream]: WORKSTREAM,
    [ENV.run]: WORKSTREAM,
    [ENV.attempt]: '1',
    [ENV.token]: token,
  };
}
