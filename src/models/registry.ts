// Every model that can be trained, by torchvision's name. A new family is one file and one line here.

import { alexnets } from './alexnet.js';
import { convnexts } from './convnext.js';
import { densenets } from './densenet.js';
import { efficientnets } from './efficientnet.js';
import { efficientnetLites } from './efficientnet-lite.js';
import { googlenets } from './googlenet.js';
import { inceptions } from './inception.js';
import { mnasnets } from './mnasnet.js';
import { mobilenetV2s } from './mobilenet-v2.js';
import { mobilenetV3s } from './mobilenet-v3.js';
import type { Model, ModelFamily } from './model.js';
import { regnets } from './regnet.js';
import { resnets } from './resnet.js';
import { shufflenetV2s } from './shufflenet-v2.js';
import { squeezenets } from './squeezenet.js';
import { vggs } from './vgg.js';

const families: readonly ModelFamily[] = [
  ...[alexnets, vggs, squeezenets, googlenets, inceptions, resnets, densenets],
  ...[mobilenetV2s, mobilenetV3s, mnasnets, shufflenetV2s],
  ...[efficientnets, efficientnetLites, regnets, convnexts],
];

const models: ReadonlyMap<string, Model> = new Map(families.flatMap((family) => Object.entries(family)));

/** All of them, in the order of the families. */
export function modelNames(): readonly string[] {
  return [...models.keys()];
}

/** Undefined where there is none of that name. */
export function findModel(name: string): Model | undefined {
  return models.get(name);
}

/** The model of a name that was checked; throws `internal:` where there is none. */
export function requireModel(name: string): Model {
  const model = findModel(name);
  if (!model) throw new Error(`internal: there is no model ${name}, and nobody has checked`);
  return model;
}
