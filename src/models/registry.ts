// Every model that can be trained, by torchvision's name. A new family is one file and one line here.

import { alexnets } from './alexnet.js';
import { densenets } from './densenet.js';
import { googlenets } from './googlenet.js';
import { inceptions } from './inception.js';
import type { Model, ModelFamily } from './model.js';
import { resnets } from './resnet.js';
import { squeezenets } from './squeezenet.js';
import { vggs } from './vgg.js';

const families: readonly ModelFamily[] = [alexnets, vggs, squeezenets, googlenets, inceptions, resnets, densenets];

const models: ReadonlyMap<string, Model> = new Map(families.flatMap((family) => Object.entries(family)));

export function modelNames(): readonly string[] {
  return [...models.keys()];
}

export function findModel(name: string): Model | undefined {
  return models.get(name);
}
