import * as v from 'valibot';
import type { Limits, Sandbox } from '../protocol/containment.ts';

/** `limits` and `sandbox` as people write them, in plans and in the config. */

const UNITS: ReadonlyMap<string, number> = new Map(
  ['', 'K', 'M', 'G', 'T'].map((unit, at) => [unit, 1024 ** at]),
);
const LEAST_BYTES = 1024 ** 2;

/** Bytes of `512M`, `4G`, `4GiB` or of a number; null for anything else and for less than `least`, 1 MiB. */
export function parseBytes(value: string | number, least = LEAST_BYTES): number | null {
  const [, digits = '', unit = ''] =
    /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(String(value).trim()) ?? [];
  const bytes = Math.round(Number(digits) * (UNITS.get(unit.toUpperCase()) ?? Number.NaN));
  return digits !== '' && Number.isSafeInteger(bytes) && bytes >= least ? bytes : null;
}

/** Percent of one core, of `50%` or `200%`; null for anything else. */
function parsePercent(value: string): number | null {
  const percent = Number(/^(\d{1,7})\s*%$/.exec(value.trim())?.[1]);
  return percent >= 1 ? percent : null;
}

const isMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Before an object, since lists are objects too. */
const map = (expected: string) => v.custom<Record<string, unknown>>(isMap, expected);
const onlyKeys = (names: readonly string[]) =>
  v.check<Record<string, unknown>, string>(
    (value) => Object.keys(value).every((key) => names.includes(key)),
    `may hold ${names.join(', ')} and nothing else`,
  );

const MEMORY = 'an amount of memory such as "512M" or "4G", or a number of bytes';
const CPU = 'a share of the CPU such as "50%" or "200%" (100% is one core)';
const LIMITS = 'an object such as {"memory": "4G", "cpu": "200%"}';

export const LimitsSchema = v.pipe(
  map(LIMITS),
  onlyKeys(['memory', 'cpu', 'best_effort']),
  v.object(
    {
      memory: v.optional(
        v.pipe(
          v.union([v.string(), v.number()], MEMORY),
          v.check((value) => parseBytes(value) !== null, `must be ${MEMORY}, and at least 1M`),
        ),
      ),
      cpu: v.optional(
        v.pipe(
          v.string(CPU),
          v.check((value) => parsePercent(value) !== null, `must be ${CPU}`),
        ),
      ),
      best_effort: v.optional(v.boolean('true or false')),
    },
    LIMITS,
  ),
  v.description('Bounds on each command and all that it starts; refused where they cannot be enforced'),
);
export type WrittenLimits = v.InferOutput<typeof LimitsSchema>;

const KINDS = ['bwrap', 'none'] as const;
const NETWORK = 'on or off';
const Path = v.pipe(
  v.string('a path'),
  v.check(
    (path) => path.trim() !== '' && !path.includes('\0') && !path.split('/').includes('..'),
    'must be a path without ".."',
  ),
);
const SANDBOX = 'bwrap, none, or an object such as {"kind": "bwrap", "network": "off"}';

export const SandboxSchema = v.union(
  [
    v.picklist(KINDS),
    v.pipe(
      map(SANDBOX),
      onlyKeys(['kind', 'network', 'hide', 'writable']),
      v.object(
        {
          kind: v.picklist(KINDS, 'bwrap or none'),
          // YAML of old takes on and off for booleans.
          network: v.optional(v.union([v.picklist(['on', 'off']), v.boolean()], NETWORK)),
          hide: v.optional(v.array(Path, 'a list of paths')),
          writable: v.optional(v.array(Path, 'a list of paths')),
        },
        SANDBOX,
      ),
    ),
  ],
  SANDBOX,
);
export type WrittenSandbox = v.InferOutput<typeof SandboxSchema>;

/** What is written, in numbers. Null where nothing is. */
export function limitsOf(written: WrittenLimits | undefined): Limits | null {
  if (written === undefined) return null;
  return {
    memoryBytes: written.memory === undefined ? null : parseBytes(written.memory),
    cpuPercent: written.cpu === undefined ? null : parsePercent(written.cpu),
    bestEffort: written.best_effort ?? false,
  };
}

/** Null where nothing is written, which is not the same as `none`. */
export function sandboxOf(written: WrittenSandbox | undefined): Sandbox | null {
  if (written === undefined) return null;
  const full = typeof written === 'string' ? { kind: written } : written;
  if (full.kind === 'none') return { kind: 'none' };
  const {
    network = 'on',
    hide = [],
    writable = [],
  } = 'network' in full || 'hide' in full || 'writable' in full ? full : {};
  return {
    kind: 'bwrap',
    network: network === 'on' || network === true,
    hide: [...hide],
    writable: [...writable],
  };
}
