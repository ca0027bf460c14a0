import { UserError } from '../errors.js';
import { quoted } from './given.js';
import { didYouMean, nearestFew } from './nearest.js';

/** Beginnings of the names that torchvision and timm give to transformers. */
const transformers = ['vit', 'swin', 'maxvit', 'deit', 'deit3', 'beit', 'beitv2', 'cait', 'eva', 'eva02', 'swinv2'];
const suggestions = 3;

/**
 * Refuses a name that is none of the models'.
 * @throws UserError that names the nearest ones, or says that it is a transformer's.
 */
export function checkModelName(name: string, models: readonly string[]): void {
  if (models.includes(name)) return;
  const [family = ''] = name.toLowerCase().split(/[_-]/);
  if (transformers.includes(family)) {
    throw new UserError(`Bad value for model: ${quoted(name)} is a transformer, not a CNN`, {
      mend: 'Choose one of the CNNs that `deep-cnn models` lists',
    });
  }
  const near = nearestFew(name, models, suggestions);
  throw new UserError('Bad value for model', {
    expected: 'one of the networks that `deep-cnn models` lists',
    found: quoted(name),
    mend: near.length > 0 ? didYouMean(alternatives(near), 'Otherwise choose from the list') : undefined,
  });
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
