/** Files that no model is shown and none may change, tracked or not. */

const NAMES: readonly RegExp[] = [
  /^\.env(?:\..+)?$/,
  /\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|gpg|asc)$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)/,
  /^\.(?:netrc|npmrc|pypirc|pgpass|git-credentials|htpasswd|vault-token)$/,
  /^(?:credentials|secrets?)(?:\.(?:json|ya?ml|toml|ini|txt))?$/,
  /^service-?account.*\.json$/,
  /\.tfstate(?:\.backup)?$/,
];
/** What stands in for a secret in a repository. */
const HARMLESS = /\.(?:example|sample|template|dist|pub)$/;
const FOLDERS: ReadonlySet<string> = new Set(['.ssh', '.aws', '.gnupg', '.kube', '.docker']);

/** Whether the name of a file says that it holds a secret. */
export function hasSecretName(path: string): boolean {
  const names = path.toLowerCase().split('/');
  const name = names.pop() ?? '';
  if (names.some((folder) => FOLDERS.has(folder))) return true;
  return !HARMLESS.test(name) && NAMES.some((pattern) => pattern.test(name));
}

const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----\s+[A-Za-z0-9+/=:\s,-]{64}/;

/** Whether a text holds a private key; code that only names the words does not. */
export const holdsPrivateKey = (text: string): boolean => PRIVATE_KEY.test(text);
