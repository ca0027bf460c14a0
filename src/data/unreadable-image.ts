import { UserError } from '../errors.js';

/** An image file that can't be read or decoded. */
export class UnreadableImageError extends UserError {
  readonly path: string;
  /** Why, in plain words: a phrase without a full stop. */
  readonly reason: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`Can't read the image ${path}`, { found: reason, mend: 'Replace or remove this file' }, options);
    this.path = path;
    this.reason = reason;
  }
}

/** What a failure of the file system or of libvips means, in plain words. */
export function whyUnreadable(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const known = explanations.find(([pattern]) => pattern.test(message));
  return known?.[1] ?? (message.split('\n', 1)[0] ?? message).replace(/\.$/, '');
}

const explanations: readonly (readonly [RegExp, string])[] = [
  [/ENOENT/, 'no such file (or a link to nowhere)'],
  [/EACCES|EPERM/, 'no permission to read it'],
  [/EISDIR/, 'a folder'],
  [/EMFILE|ENFILE/, 'too many open files'],
  [/is empty/i, 'an empty file'],
  [/unsupported image format/i, 'something that is no image of a known format'],
  [/exceeds pixel limit/i, 'an image of more than 178 million pixels'],
  [
    /premature end|unexpected end|read error|unable to parse|truncated|corrupt|invalid|no image/i,
    'a truncated or damaged file',
  ],
];
