// What the environment says of Weights & Biases: who logs where, and whether at all.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { rememberSecret } from '../secrets.js';

export interface WandbSettings {
  /** `offline` records on disk only; `disabled` does nothing. */
  mode: 'online' | 'offline' | 'disabled';
  /** Absent in the modes that need none. */
  key: string | undefined;
  /** The project and the user or team, where they are given. */
  project: string | undefined;
  entity: string | undefined;
  /** Of the server's API, without a slash at its end. */
  baseUrl: string;
  group: string | undefined;
  jobType: string | undefined;
  notes: string | undefined;
  tags: readonly string[];
}

/** The project of those who name none. */
export const defaultProject = 'deep-cnn';

const publicServer = 'https://api.wandb.ai';

/**
 * Reads WB_KEY, WB_PROJECT and WB_USER, else W&B's own variables: WANDB_API_KEY, WANDB_PROJECT, WANDB_ENTITY,
 * WANDB_BASE_URL, WANDB_MODE, WANDB_RUN_GROUP, WANDB_JOB_TYPE, WANDB_NOTES, WANDB_TAGS; and the key that W&B's tools keep
 * in ~/.netrc. Empty variables count as absent.
 * @throws UserError when a key is needed and missing, or a value can't be right.
 */
export function checkWandb(env: NodeJS.ProcessEnv = process.env): WandbSettings {
  const read = (...names: string[]) => names.map((name) => env[name]?.trim()).find((value) => value);
  const mode = readMode(read('WANDB_MODE'));
  const baseUrl = readBaseUrl(read('WANDB_BASE_URL'));
  const key = read('WB_KEY', 'WANDB_API_KEY') ?? keyInNetrc(new URL(baseUrl).hostname, env);
  if (mode === 'online') requireKey(key);
  const project = read('WB_PROJECT', 'WANDB_PROJECT');
  if (project !== undefined) requireProjectName(project);
  return {
    mode,
    key,
    project,
    entity: read('WB_USER', 'WANDB_ENTITY'),
    baseUrl,
    group: read('WANDB_RUN_GROUP'),
    jobType: read('WANDB_JOB_TYPE'),
    notes: read('WANDB_NOTES'),
    tags: (read('WANDB_TAGS') ?? '')
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
  };
}

const maxIdLength = 64;

/**
 * A run's id at W&B: its name, where that is made of letters, digits, `-`, `_` and `.` alone and has at most 64 of them.
 * Else each other character is `-`, and a hash of the whole name at the end keeps different names apart.
 */
export function wandbRunId(runName: string): string {
  const plain = runName.replace(/[^A-Za-z0-9_.-]/gu, '-');
  if (plain === runName && runName.length <= maxIdLength) return runName;
  const hash = createHash('sha256').update(runName).digest('hex').slice(0, 8);
  return `${plain.slice(0, maxIdLength - hash.length - 1)}-${hash}`;
}

/** Where people look at a run. */
export function runAddress(baseUrl: string, { entity, project, id }: { entity: string; project: string; id: string }) {
  const site = baseUrl === publicServer ? 'https://wandb.ai' : baseUrl;
  return `${site}/${[entity, project, 'runs', id].map(encodeURIComponent).join('/')}`;
}

/** `dryrun` and `run` are W&B's older names. */
const modes: Readonly<Record<string, WandbSettings['mode']>> = {
  online: 'online',
  run: 'online',
  offline: 'offline',
  dryrun: 'offline',
  disabled: 'disabled',
};

function readMode(given = 'online'): WandbSettings['mode'] {
  const mode = Object.hasOwn(modes, given) ? modes[given] : undefined;
  if (mode !== undefined) return mode;
  throw new UserError('Bad value for WANDB_MODE', { expected: 'online, offline or disabled', found: `'${given}'` });
}

function readBaseUrl(given = publicServer): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url && (url.protocol === 'https:' || url.protocol === 'http:')) return given.replace(/\/+$/, '');
  throw new UserError('Bad value for WANDB_BASE_URL', {
    expected: `an address such as ${publicServer}`,
    found: `'${given}'`,
  });
}

function requireKey(key: string | undefined): asserts key is string {
  const mend =
    'Set WB_KEY to the key that https://wandb.ai/authorize shows, record with WANDB_MODE=offline, or leave out --wandb';
  if (key === undefined)
    throw new UserError('--wandb=True needs an API key of Weights & Biases', { found: 'none', mend });
  if (/^[!-~]+$/.test(key)) return;
  throw new UserError('The API key of Weights & Biases has a character that no key has', { mend });
}

function requireProjectName(project: string): void {
  const refused = /[/\\#?%:]/.exec(project)?.[0];
  if (refused === undefined && project.length <= 128) return;
  throw new UserError('Bad name for a project at Weights & Biases', {
    expected: 'at most 128 characters, and none of / \\ # ? % :',
    found: refused === undefined ? `${project.length} characters` : `'${project}'`,
    mend: 'Set WB_PROJECT to another name',
  });
}

/** The password of `machine host` in ~/.netrc, or in the file that NETRC names. */
function keyInNetrc(host: string, env: NodeJS.ProcessEnv): string | undefined {
  let text: string;
  try {
    text = readFileSync(env['NETRC'] || join(env['HOME'] || homedir(), '.netrc'), 'utf8');
  } catch {
    return undefined;
  }
  const words = text.replace(/(^|\s)#.*$/gm, '').split(/\s+/);
  const start = words.findIndex((word, index) => word === 'machine' && words[index + 1] === host);
  if (start === -1) return undefined;
  const entry = words.slice(start + 2);
  const end = entry.findIndex((word) => word === 'machine' || word === 'default');
  const own = end === -1 ? entry : entry.slice(0, end);
  const password = own.indexOf('password');
  const key = password === -1 ? undefined : own[password + 1];
  // The environment, which is known to hold secrets, does not hold this one.
  if (key !== undefined) rememberSecret(key);
  return key;
}
