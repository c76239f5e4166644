/**
 * What looks like a secret, masked where text is shown to people. Files keep every byte: this is a courtesy to those
 * who look over a shoulder or paste a log into a ticket, not a border that a hostile tool could not pass.
 */

/** What stands for the rest of a secret. Its length says nothing, and masked text stays as it is when masked again. */
const MASK = '****';

/**
 * Where a key may begin: not inside a longer word, but right behind a colour. So each run of letters is tried once,
 * which keeps hostile input linear.
 */
const BEGINS = '(?:(?<![A-Za-z0-9_-])|(?<=\\u001b\\[[\\d;:]{0,32}m))';

/** Keys that say by their first characters whose they are: the characters that are shown, and what follows. */
const SHAPES: readonly (readonly [prefix: string, rest: string])[] = [
  ['sk-(?:ant-|proj-|or-|svcacct-)?', '[A-Za-z0-9_-]{16,}'],
  ['(?:sk|rk|pk)_(?:live|test)_', '[A-Za-z0-9]{16,}'],
  ['gh[oprsu]_', '[A-Za-z0-9]{20,}'],
  ['github_pat_', '[A-Za-z0-9_]{20,}'],
  ['glpat-', '[A-Za-z0-9_-]{16,}'],
  ['(?:AKIA|ASIA)', '[A-Z0-9]{16}(?![A-Za-z0-9])'],
  ['xox[abceoprs]-', '[A-Za-z0-9-]{10,}'],
  ['xapp-', '[A-Za-z0-9-]{16,}'],
  ['AIza', '[A-Za-z0-9_-]{30,}'],
  ['ya29\\.', '[A-Za-z0-9._-]{20,}'],
  ['(?:gsk|hf|npm|r8)_', '[A-Za-z0-9]{24,}'],
  ['(?:xai|pplx|tvly)-', '[A-Za-z0-9-]{24,}'],
  ['pypi-', '[A-Za-z0-9_-]{40,}'],
  ['SG\\.', '[A-Za-z0-9_-]{16,64}\\.[A-Za-z0-9_-]{16,}'],
  ['eyJ', '[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}(?:\\.[A-Za-z0-9_-]*)?'],
];
const SHAPE = new RegExp(`${BEGINS}(?:${SHAPES.map(([prefix, rest]) => `${prefix}${rest}`).join('|')})`, 'g');
const PREFIX = new RegExp(`^(?:${SHAPES.map(([prefix]) => prefix).join('|')})`);

/** `Authorization: Bearer …`, `x-api-key: …`, and a bare `Bearer …`; quotes around as in curl, JSON or code. */
const HEADER =
  /((?:authorization|x-api-key|api-key|x-goog-api-key)["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:bearer|basic|token)\s{1,4})?|\bbearer\s{1,4})([^\s"',;<>$*]{8,})/gi;

/** `NAME_API_KEY=value` as in a shell or an env file. */
const VARIABLE =
  /((?:API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|AUTH_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE)(?:_[A-Z0-9_]{1,32})?=)("[^"\n]*|'[^'\n]*|[^\s"'`;&|]+)/g;

/** `"password": "value"`, `apiKey = 'value'`, `token: value` as in JSON, YAML and code. */
const FIELD =
  /((?:api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|token|secret|passw(?:or)?d|passphrase)["']?[ \t]{0,3}[:=][ \t]{0,3})("[^"\n]*|'[^'\n]*|[^\s"'`;,&|(){}[\]]+)/gi;

/** `scheme://user:password@host`. */
const LOGIN = /(?<=:\/\/)([^\s/:@"'<>]{0,128}:)([^\s/@"'<>]{1,256})(?=@)/g;

const BLOCK_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
/** The body of such a block, with its headers and line ends that JSON spells out, up to its end or to what is no key. */
const BLOCK_BODY =
  /^([A-Za-z0-9+/=:,.\\ \t\r-]*?)(-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|(?=[^A-Za-z0-9+/=:,.\\ \t\r-])|$)/;

/** What refers to a secret, or only stands in its place: `$NAME`, `${{ … }}`, `<your key>`, `%NAME%`, `process.env.X`. */
const REFERENCE =
  /^["']?(?:[$<{%]|process\.env|os\.(?:environ|getenv)|env\[|null\b|undefined\b|true$|false$|none$)/i;

/**
 * `text` in which what looks like a secret is cut to its first characters and `****`. Linear in its length, whatever
 * it holds. Hashes, UUIDs and plain base64 stay.
 */
export function maskSecrets(text: string): string {
  return lineMask()(text);
}

/** As `maskSecrets`, for text that comes line by line: it knows whether it is inside of a private key. */
export function lineMask(): (text: string) => string {
  let inBlock = false;
  const maskLine = (line: string): string => {
    let shown = '';
    let rest = line;
    for (;;) {
      if (!inBlock) {
        const begin = BLOCK_BEGIN.exec(rest);
        if (begin === null) return shown + maskWords(rest);
        const end = begin.index + begin[0].length;
        shown += maskWords(rest.slice(0, begin.index)) + begin[0];
        rest = rest.slice(end);
        inBlock = true;
      }
      const [whole = '', body = '', end = ''] = BLOCK_BODY.exec(rest) ?? [];
      shown += (/[A-Za-z0-9]/.test(body) ? MASK : body) + end;
      rest = rest.slice(whole.length);
      // A block goes on in the next line, unless something stands here that is no key.
      if (end !== '' || rest !== '') inBlock = false;
      if (rest === '') return shown;
    }
  };
  return (text) => {
    if (!inBlock && !text.includes('-----BEGIN ')) return maskWords(text);
    return text.split('\n').map(maskLine).join('\n');
  };
}

/** Something of each pattern that is never missing: most lines hold none, and are done with at one look. */
const TRIGGER =
  /sk-|_(?:live|test)_|gh[oprsu]_|github_pat_|glpat-|AKIA|ASIA|xox|xapp-|AIza|ya29|(?:gsk|hf|npm|r8)_|xai-|pplx-|tvly-|pypi-|SG\.|eyJ|key|token|secret|passw|passphrase|authorization|bearer|:\/\//i;

function maskWords(text: string): string {
  if (!TRIGGER.test(text)) return text;
  return text
    .replace(SHAPE, (key) => maskKey(key))
    .replace(LOGIN, (whole, name: string, value: string) => (isFree(value) ? name + MASK : whole))
    .replace(HEADER, (whole, name: string, value: string) =>
      looksRandom(value, 8) ? name + maskValue(value) : whole,
    )
    .replace(VARIABLE, (whole, name: string, value: string) =>
      isSecretVariable(value) ? name + maskValue(value) : whole,
    )
    .replace(FIELD, (whole, name: string, value: string) =>
      isSecretField(name, value) ? name + maskValue(value) : whole,
    );
}

function maskKey(key: string): string {
  // `sk-` begins words of people too.
  if (!/\d/.test(key)) return key;
  const length = PREFIX.exec(key)?.[0].length ?? 0;
  return key.slice(0, length + 2) + MASK;
}

/** The quote stays, and of a long value the first characters: enough to tell one key from another. */
function maskValue(value: string): string {
  const quote = /^["']/.exec(value)?.[0] ?? '';
  const inner = value.slice(quote.length);
  return quote + (inner.length >= 16 ? inner.slice(0, 3) : '') + MASK;
}

/** Neither masked already nor a mere reference. */
const isFree = (value: string): boolean => !value.includes(MASK) && !REFERENCE.test(value);

function looksRandom(value: string, least: number): boolean {
  return isFree(value) && value.length >= least && /\d/.test(value) && /[A-Za-z]/.test(value);
}

/** Numbers are limits (`MAX_TOKEN=4096`), very short words switches. */
function isSecretVariable(value: string): boolean {
  const inner = value.replace(/^["']/, '');
  return isFree(value) && inner.length >= 6 && !/^\d+$/.test(inner);
}

function isSecretField(name: string, value: string): boolean {
  const isQuoted = /^["']/.test(value);
  const inner = isQuoted ? value.slice(1) : value;
  if (!isFree(value) || /\s/.test(inner)) return false;
  if (isQuoted && /passw(?:or)?d|passphrase/i.test(name)) return inner.length >= 6;
  // In code a name may stand here: it has no digits among its letters, or a path of members.
  return looksRandom(inner, 12) && (isQuoted || !/^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$/.test(inner));
}
