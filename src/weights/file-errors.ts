// How a weights file is turned down. Names out of such files are shown shortened and without control characters.

import { UserError } from '../errors.js';

/** For a file of a known format that is cut short, damaged or made up. `found` is a phrase. */
export function brokenFile(path: string, found: string, format = 'weights'): UserError {
  return new UserError(`${path} is no whole ${format} file`, { found, mend: 'Copy or download it again' });
}

/** For a file that is whole but holds something that is not read here, or must not be. */
export function refusedContent(path: string, found: string): UserError {
  return new UserError(`${path} holds something other than weights`, {
    expected: 'tensors and plain containers only',
    found,
    mend: 'Save the weights alone, with torch.save(model.state_dict(), FILE)',
  });
}

const maxShown = 200;

/** A text from a file, fit for one line of a terminal. */
export function shown(text: string): string {
  const short = text.length > maxShown ? `${text.slice(0, maxShown)}...` : text;
  return short.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u{fffd}');
}
