// Where the Hugging Face hub and its cache are, by the variables that its Python library reads:
// https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { HUB_URL } from '@huggingface/hub';
import { UserError } from '../errors.js';
import { readableText } from '../readable-text.js';
import { rememberSecret } from '../secrets.js';

export interface HubEnvironment {
  /** An http or https address without a slash at its end. */
  readonly endpoint: string;
  /** The folder that holds models--owner--name. */
  readonly cacheFolder: string;
  /** Not for any message. */
  readonly token: string | undefined;
  readonly isOffline: boolean;
}

/** Reads the environment. Throws a `UserError` for an endpoint or a token that can't be one. */
export function readHubEnvironment(env: NodeJS.ProcessEnv = process.env): HubEnvironment {
  return {
    endpoint: readEndpoint(env['HF_ENDPOINT']),
    cacheFolder: hubCacheFolder(env),
    token: readToken(env),
    isOffline: ['1', 'ON', 'YES', 'TRUE'].includes((env['HF_HUB_OFFLINE'] ?? '').toUpperCase()),
  };
}

/** $HF_HUB_CACHE, else the `hub` folder in $HF_HOME, else in ~/.cache/huggingface. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'];
  return own ? expand(own) : join(hubHome(env), 'hub');
}

function hubHome({ HF_HOME: own, XDG_CACHE_HOME: shared }: NodeJS.ProcessEnv): string {
  return own ? expand(own) : join(shared ? expand(shared) : join(homedir(), '.cache'), 'huggingface');
}

function expand(path: string): string {
  return resolve(path.replace(/^~(?=\/|$)/, homedir()));
}

function readEndpoint(given: string | undefined): string {
  if (!given) return HUB_URL;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url && ['http:', 'https:'].includes(url.protocol) && !url.username && !url.password && !url.search) {
    return given.replace(/\/+$/, '');
  }
  throw new UserError('Bad value for HF_ENDPOINT', {
    expected: 'an http or https address, without name and password',
    // A password must not be shown.
    ...(url?.password ? {} : { found: JSON.stringify(given) }),
  });
}

function readToken(env: NodeJS.ProcessEnv): string | undefined {
  const fromVariable = env['HF_TOKEN'] || env['HUGGING_FACE_HUB_TOKEN'];
  const path = env['HF_TOKEN_PATH'] ? expand(env['HF_TOKEN_PATH']) : join(hubHome(env), 'token');
  const token = (fromVariable || readableText(path)).trim();
  rememberSecret(token);
  // What is no header would be quoted in an error from below.
  if (/^[\x21-\x7e]*$/.test(token)) return token || undefined;
  throw new UserError(`The access token in ${fromVariable ? 'HF_TOKEN' : path} holds characters that no token has`, {
    mend: 'Copy the token again, as one line',
  });
}
