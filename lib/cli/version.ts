import manifest from '../../package.json' with { type: 'json' };

/** The version of this orch. */
export const VERSION: string = manifest.version;
