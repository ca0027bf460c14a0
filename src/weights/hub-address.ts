// Which file of the hub: as `--weights` takes it, hf:owner/repo[@revision][:file].

import { UserError } from '../errors.js';

export interface HubAddress {
  /** owner/name. */
  readonly repo: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** The file's path in the repository. */
  readonly file: string;
}

/** The revision where none is named. */
export const defaultRevision = 'main';
/** Where a repository keeps its weights, the better format first. */
export const usualFiles: readonly [string, string] = ['model.safetensors', 'pytorch_model.bin'];

const namePattern = /^[\w-][\w.-]*$/;

export function isHubAddress(text: string): boolean {
  return text.startsWith('hf:');
}

/** Reads an address; without a file it stands for several, to be tried in turn. Throws a `UserError` for a bad one. */
export function readHubAddress(text: string): readonly [HubAddress, ...HubAddress[]] {
  const match = /^hf:([^@:]+)(?:@([^:]+))?(?::(.+))?$/s.exec(text);
  const [, repo = '', revision = defaultRevision, file] = match ?? [];
  const names = repo.split('/');
  const isRepo = names.length === 2 && names.every((name) => namePattern.test(name) && !name.includes('--'));
  if (!isRepo || !isPlainPath(revision) || (file !== undefined && !isPlainPath(file))) {
    throw new UserError('Bad address of weights on the hub', {
      expected: 'hf:owner/repo, hf:owner/repo:file or hf:owner/repo@revision:file',
      found: JSON.stringify(text),
    });
  }
  const at = (path: string): HubAddress => ({ repo, revision, file: path });
  return file === undefined ? [at(usualFiles[0]), at(usualFiles[1])] : [at(file)];
}

/** The address as a user would write it. */
export function hubAddressText({ repo, revision, file }: HubAddress): string {
  return `hf:${repo}${revision === defaultRevision ? '' : `@${revision}`}:${file}`;
}

/** A relative path that leads nowhere else when it is joined to a folder. */
function isPlainPath(path: string): boolean {
  return path.split('/').every((part) => /^[^\\\p{Cc}?#%]+$/u.test(part) && !/^\.+$/.test(part));
}
