import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineMask, maskSecrets } from '../../lib/protocol/mask.ts';

/** Made up here, so that no scanner takes this file for a leak. */
const body = (length: number): string => 'aB3dE5gH7jK9mN1pQ2'.repeat(10).slice(0, length);
const upper = (length: number): string => 'A1B2C3D4E5F6'.repeat(4).slice(0, length);

const KEYS = {
  'sk-ant-': body(80),
  'sk-proj-': body(60),
  'sk-': body(48),
  ghp_: body(36),
  gho_: body(36),
  github_pat_: `11${body(40)}`,
  'glpat-': body(20),
  AKIA: upper(16),
  'xoxb-': `123456789012-${body(24)}`,
  AIza: body(35),
  hf_: body(34),
  gsk_: body(52),
  sk_live_: body(24),
};

const JWT = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', 'dozjgNryP4J3jVmNHl0w5N_XgL0'].join('.');
const PEM = [
  `-----BEGIN RSA ${'PRIVATE'} KEY-----`,
  body(64),
  body(40),
  `-----END RSA ${'PRIVATE'} KEY-----`,
];

describe('maskSecrets', () => {
  it.each(Object.entries(KEYS))('cuts a key that begins with %s, wherever it stands', (prefix, rest) => {
    const key = prefix + rest;
    for (const [before, after] of [
      ['', ''],
      ['key: ', ' was refused'],
      ['"', '"'],
      ['\u001b[31m', '\u001b[0m'],
      ['https://host/?key=', '&x=1'],
      ['OPENAI_API_KEY=', ''],
      ['(', ')'],
    ] as const) {
      const shown = maskSecrets(before + key + after);
      expect(shown).toContain('****');
      expect(shown).toContain(before);
      expect(shown.endsWith(after)).toBe(true);
      expect(shown).not.toContain(rest.slice(2));
      expect(shown).not.toContain(rest.slice(8));
    }
    expect(maskSecrets(`x ${key} y`)).toBe(`x ${prefix}${rest.slice(0, 2)}**** y`);
  });

  it.each([
    [`jwt ${JWT} end`, 'jwt eyJhb**** end'],
    [`Authorization: Bearer ${body(30)}`, 'Authorization: Bearer aB3****'],
    [`-H "authorization: Basic ${body(24)}"`, '-H "authorization: Basic aB3****"'],
    [`{"x-api-key": "${body(24)}"}`, '{"x-api-key": "aB3****"}'],
    ['export MY_TOKEN=hunter2', 'export MY_TOKEN=****'],
    ['DB_PASSWORD="pass word 1"', 'DB_PASSWORD="****"'],
    [`AWS_SECRET_ACCESS_KEY=${body(40)} make`, 'AWS_SECRET_ACCESS_KEY=aB3**** make'],
    ['"password": "hunter2"', '"password": "****"'],
    [`apiKey = '${body(20)}';`, "apiKey = 'aB3****';"],
    [`token: ${body(20)}`, 'token: aB3****'],
    ['postgres://me:hunter2@db/x', 'postgres://me:****@db/x'],
    [`https://x-access-token:${body(20)}@host/r.git`, 'https://x-access-token:****@host/r.git'],
    [PEM.join('\n'), [PEM[0], '****', '****', PEM[3]].join('\n')],
    [`"key": "${PEM.join('\\n')}", "a": 1`, `"key": "${PEM[0]}****${PEM[3]}", "a": 1`],
    [`${PEM[0]}\n${body(64)}\nerror: {not a key}`, `${PEM[0]}\n****\n****{not a key}`],
  ])('masks %j', (text, shown) => {
    expect(maskSecrets(text)).toBe(shown);
  });

  it.each([
    'commit 0123456789abcdef0123456789abcdef01234567',
    'run 3f1c9a52-7b1e-4c0e-9a57-0d3a5f0a9b11',
    `base64 ${Buffer.from('diff --git a/x b/x index 123..456 some text of a diff').toString('base64')}`,
    'Tokens: 2.3k sent, 456 received. Cost: $0.0042 message, $0.01 session.',
    'MAX_TOKENS=4096 TOKEN=4096',
    'const token = request.headers.authorization;',
    'token = process.env.API_TOKEN1234',
    'export OPENAI_API_KEY=$OTHER_KEY',
    'API_KEY=<your key here>',
    'password: string;',
    'password = input("Your password: ")',
    ['secret: $', '{{ secrets.DEPLOY_TOKEN_2 }}'].join(''),
    'task-management-of-2024-workstreams and risk-assessment-2025-of-things',
    'sk-learn-and-other-names-without-digits',
    'http://host:8080/a@b',
    'git@github.com:me/repo.git',
    'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    '-----BEGIN CERTIFICATE-----\nMIIB0123\n-----END CERTIFICATE-----',
    'the bearer of 12 rings',
    'the eyJ of a storm.eyJ',
    'token_count: 1234567890123',
    'npm_config_registry is not set; hf_hub_download(repo)',
  ])('leaves %j alone', (text) => {
    expect(maskSecrets(text)).toBe(text);
  });

  it('knows a private key that comes line by line', () => {
    const mask = lineMask();
    const lines = ['before', ...PEM, `after ${body(64)}`];
    expect(lines.map(mask)).toEqual(['before', PEM[0], '****', '****', PEM[3], `after ${body(64)}`]);
  });

  it('is the same when done twice, and leaves the lines as they are', () => {
    const piece = fc.oneof(
      fc.constantFrom(...Object.entries(KEYS).map(([prefix, rest]) => prefix + rest), JWT, ...PEM),
      fc.constantFrom('TOKEN=', 'password: "', 'Bearer ', '://u:', '@', '\n', ' ', '"', '****', 'API_KEY='),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const once = maskSecrets(pieces.join(''));
        expect(maskSecrets(once)).toBe(once);
        expect(once.split('\n').length).toBe(pieces.join('').split('\n').length);
      }),
      { numRuns: 200 },
    );
  });

  it('leaves no key of a known shape behind, whatever stands around it as words of its own', () => {
    const word = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/[*"']|BEGIN/.test(text));
    const key = fc.constantFrom(...Object.entries(KEYS));
    fc.assert(
      fc.property(word, key, word, (before, [prefix, rest], after) => {
        expect(maskSecrets(`${before} ${prefix}${rest} ${after}`)).not.toContain(rest.slice(4));
      }),
    );
  });

  it.each([
    'sk-',
    'eyJ',
    'eyJa.',
    'TOKEN',
    'TOKEN=',
    'token: ',
    'TOKEN_',
    'Bearer ',
    'authorization: ',
    '://',
    '://a:',
    '://a:b',
    PEM[0] ?? '',
    '-----BEGIN ',
    `${PEM[0]}\n`,
    `${PEM[0]}{`,
    `${PEM[0]}a${PEM[3]}`,
    `${PEM[0]}${PEM[3]}{`,
    'SG.aaaaaaaaaaaaaaaaaaaa',
    '\u001b[1',
    '\u001b[1;1m',
    'a',
    '"password": "',
    'a_',
    ' ',
    '1',
  ])('takes linear time on a megabyte of %j', (unit) => {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
    const begun = process.cpuUsage();
    maskSecrets(text);
    // What is quadratic takes minutes.
    expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000);
  });
});
