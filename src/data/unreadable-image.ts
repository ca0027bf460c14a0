import { messageOf, UserError } from '../errors.js';
import { Refusal } from './refusal.js';
import { shownPath } from './shown-path.js';

/** An image file that can't be read or decoded. */
export class UnreadableImageError extends UserError {
  readonly path: string;
  /** Why, in plain words: a phrase without a full stop. */
  readonly reason: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`Can't read the image ${shownPath(path)}`, { found: reason, mend: 'Replace or remove this file' }, options);
    this.path = path;
    this.reason = reason;
  }
}

/** What a failure of the file system or of libvips to read `path` means, in plain words. */
export function whyUnreadable(error: unknown, path: string): string {
  const message = messageOf(error);
  if (error instanceof Refusal) return message;
  if (/^ENOENT/.test(message) && path.includes('\ufffd'))
    return 'a name that is not UTF-8, by which it cannot be opened';
  const known = explanations.find(([pattern]) => pattern.test(message));
  if (known !== undefined) return known[1];
  return `${damaged} (${shownPath((message.split('\n', 1)[0] ?? message).replace(/\.$/, ''))})`;
}

const damaged = 'a truncated or damaged file';

const explanations: readonly (readonly [RegExp, string])[] = [
  [/^(ENOENT|ENOTDIR)/, 'no such file (or a link to nowhere)'],
  [/^ELOOP/, 'a link that leads in a circle'],
  [/^(EACCES|EPERM)/, 'no permission to read it'],
  [/^EISDIR/, 'a folder'],
  [/^ENXIO/, 'no file but a pipe, a socket or a device'],
  [/^ENAMETOOLONG/, 'a path that is too long'],
  [/^(EMFILE|ENFILE)/, 'too many open files'],
  [/^(EIO|ESTALE)/, 'an input/output error of the disk or the file server'],
  [/is empty/i, 'an empty file'],
  [/unsupported image format/i, 'something that is no image of a known format'],
  [/exceeds (pixel|the) .*limit|pixel limit|security limit/i, 'an image of more than 178 million pixels'],
  [
    /unsupported codec|no decoding plugin|unsupported file-type/i,
    'an image in a compression that is not read, such as HEIC',
  ],
  [
    /premature end|unexpected end|read error|unable to parse|truncated|corrupt|invalid|no image|out of (range|bounds)|unknown error|unable to read/i,
    damaged,
  ],
];
