// Every model that can be trained, by torchvision's name. A new family is one file and one line here.

import type { Model, ModelFamily } from './model.js';
import { resnets } from './resnet.js';

const families: readonly ModelFamily[] = [resnets];

const models: ReadonlyMap<string, Model> = new Map(families.flatMap((family) => Object.entries(family)));

export function modelNames(): readonly string[] {
  return [...models.keys()];
}

export function findModel(name: string): Model | undefined {
  return models.get(name);
}
