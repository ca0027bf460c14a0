// Keeps access tokens and passwords out of what the program says. A text from outside may hold one: a server that echoes
// a request, an address in an error, an option.

/** Variables whose whole value is secret. */
const tokenVariables = ['WB_KEY', 'WANDB_API_KEY', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'] as const;

/** A shorter value is left alone: it would be found in the middle of harmless words. */
const minSecretLength = 6;
/** From here on a value is no placeholder, nor a word that may stand in a path by chance. */
const minKeyLength = 16;
/** The beginning of such a value is secret, too: errors quote the first letters of what they could not read. */
const beginningLength = 8;

const mask = '***';

/** Secrets that came from elsewhere than the environment. */
const remembered = new Set<string>();

/** Counts a value as secret from now on: a token that was read from a file. */
export function rememberSecret(value: string): void {
  remembered.add(value);
}

/** `text` with `***` in place of each secret value of the environment, and of credentials in addresses. */
export function redact(text: string, env: NodeJS.ProcessEnv = process.env): string {
  const secrets = secretPattern(env);
  const redacted = secrets === undefined ? text : text.replace(secrets, mask);
  return redacted
    .replace(credentials, `$1${mask}@`)
    .replace(secretParameter, `$1${mask}`)
    .replace(authorization, `$1${mask}`)
    .replace(hubToken, mask);
}

/** The variable whose secret value `text` holds, if any does. Values that may be placeholders don't count. */
export function secretIn(text: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return tokenVariables.find((name) => {
    const value = env[name]?.trim() ?? '';
    return value.length >= minKeyLength && text.includes(value);
  });
}

/** `name:password@` in an address; with one slash where a path has been made of it. */
const credentials = /((?:\b[a-z][a-z0-9+.-]{0,30}:\/|\b(?:https?|ftps?|socks\w*):)\/)[^\s/'"`]*@/gi;
/** `?token=...` and its like in an address. */
const secretParameter =
  /([?&][\w.-]{0,40}(?:token|signature|secret|passw|credential|api_?key)[\w.-]{0,40}=)[^&\s'"`]+/gi;
/** A header, as an inspected request shows it. */
const authorization = /\b(authorization['"]?\s*[:=]\s*['"]?(?:\w+\s+)?)[^\s'"]+/gi;
/** The hub's own tokens, wherever they come from. */
const hubToken = /\bhf_[A-Za-z0-9]{20,}/g;

/** All secret values, each as it may be written; in any case, since the names of hosts lose theirs. */
function secretPattern(env: NodeJS.ProcessEnv): RegExp | undefined {
  const tokens = [...tokenVariables.map((name) => env[name] ?? ''), ...remembered];
  const passwords = Object.values(env).flatMap((value) => passwordsIn(value ?? ''));
  const values = [...tokens, ...passwords]
    .map((value) => value.trim())
    .filter(({ length }) => length >= minSecretLength);
  // The longest first, since one may hold another.
  const whole = [...new Set(values.flatMap(spellings))].sort((a, b) => b.length - a.length).map(escaped);
  const beginnings = values
    .filter(({ length }) => length >= minKeyLength)
    .map((value) => `${escaped(value.slice(0, beginningLength))}[\\w-]*`);
  return whole.length === 0 ? undefined : new RegExp([...whole, ...beginnings].join('|'), 'gi');
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** The password of an address such as a proxy's, and name and password as a header has them. */
function passwordsIn(address: string): string[] {
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/@]*:[^@]*|[^/]*)@/i.exec(address);
  if (match?.[1] === undefined) return [];
  const plain = decoded(match[1]);
  const afterName = (text: string) => text.slice(text.indexOf(':') + 1);
  return [afterName(match[1]), afterName(plain), Buffer.from(plain).toString('base64')];
}

function spellings(value: string): string[] {
  return [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
