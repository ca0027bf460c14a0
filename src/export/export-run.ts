// `deep-cnn export`, after its options are read: opens the network, writes it, compares, and only then puts it in place.

import { join } from 'node:path';
import { UserError } from '../errors.js';
import type { Runtime } from '../graph/session.js';
import type { OpenedNetwork } from '../inference/open-network.js';
import type { RunDescription } from '../reporting/run-description.js';
import { version } from '../version.js';
import { markName, writeExportFolder, writeWhole } from './export-folder.js';
import { type FormatName, type FormatOptions, formats } from './formats.js';
import { modelCard } from './model-card.js';
import { describe } from './network.js';
import { type Agreement, bounds, compareOnImages } from './verify.js';

export interface ExportRequest extends FormatOptions {
  network: OpenedNetwork;
  run: RunDescription | undefined;
  format: FormatName;
  /** The folder to write. */
  output: string;
  /** Images on which the export is compared with the network; none to leave that out. */
  images: readonly string[];
  /** The largest difference of a probability that is put up with; that of the quantization unless told. */
  bound?: number;
  runtime: Runtime;
}

export interface ExportReport {
  /** Undefined where it was not compared. */
  agreement: Agreement | undefined;
  /** One sentence on that. */
  verified: string;
}

/**
 * Writes a network in one format, with labels.txt, export.json and README.md. Nothing is left where it does not agree with
 * the network on the images.
 * @throws UserError where the format can't be had with these options, the folder can't be written, an image can't be read,
 * or quantized weights change the probabilities too much.
 */
export async function exportNetwork(request: ExportRequest): Promise<ExportReport> {
  const { network, format, output, input, quantize } = request;
  requireOptions(request);
  requireRoom(request);
  return writeExportFolder(output, async (folder) => {
    await formats[format].write(folder, network, { input, quantize });
    const agreement = await verify(folder, request);
    const verified = describeAgreement(agreement, request);
    const about = { ...describe(network, input), format, quantize, program: `deep-cnn ${version}`, agreement };
    await writeWhole(join(folder, markName), `${JSON.stringify(about, undefined, 2)}\n`);
    await writeWhole(join(folder, 'labels.txt'), network.classes.map((name) => `${name}\n`).join(''));
    const card = modelCard({ network, run: request.run, format, options: { input, quantize }, verified });
    await writeWhole(join(folder, 'README.md'), card);
    return { agreement, verified };
  });
}

/** Refuses what a format does not have. */
export function requireOptions({
  format,
  input,
  quantize,
}: Pick<ExportRequest, 'format' | 'input' | 'quantize'>): void {
  const { quantizations, inputs } = formats[format];
  if (!quantizations.includes(quantize)) {
    throw new UserError(`--format=${format} has no --quantize=${quantize}`, {
      expected: `one of ${quantizations.join(', ')}`,
    });
  }
  if (inputs.length > 0 && !inputs.includes(input)) {
    throw new UserError(`--format=${format} has no --input=${input}`, { expected: `one of ${inputs.join(', ')}` });
  }
}

/** What one file of SavedModel or ONNX can hold: protocol buffers are no longer. */
const largestMessage = 2 ** 31;

function requireRoom({ network, format, quantize }: ExportRequest): void {
  if (format === 'tfjs' || format === 'safetensors') return;
  const count = [...network.weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  const bytes = count * (quantize === 'float16' ? 2 : 4);
  if (bytes < largestMessage) return;
  throw new UserError(`${network.model} does not fit into a file of ${format}`, {
    expected: 'weights of less than 2.1 GB',
    found: `${(bytes / 1e9).toFixed(1)} GB`,
    mend: 'Choose --format=tfjs or safetensors',
  });
}

async function verify(folder: string, request: ExportRequest): Promise<Agreement | undefined> {
  const { network, format, images, input, quantize, runtime, bound = bounds[quantize] } = request;
  if (images.length === 0) return undefined;
  const exported = await formats[format].open(folder, { input, quantize }, runtime);
  if (!exported) return undefined;
  try {
    const agreement = await compareOnImages(images, { network, input, exported, runtime });
    // Written so that what is no number is beyond the bound.
    if (agreement.difference <= bound) return agreement;
    const found = `${agreement.difference.toPrecision(2)} on ${agreement.images} images`;
    if (quantize === 'none') throw new Error(`internal: the exported network differs by ${found}`);
    throw new UserError(`With --quantize=${quantize} probabilities change too much`, {
      expected: `at most ${bound}`,
      found: `${found}, ${agreement.sameClass} of which are still of the same class`,
      mend: 'Choose less: float16, or none',
    });
  } finally {
    exported.close();
  }
}

function describeAgreement(agreement: Agreement | undefined, { format, images }: ExportRequest): string {
  if (agreement) {
    const { images: count, difference, sameClass } = agreement;
    return (
      `On ${count} images its probabilities differ from the network's by at most ${difference.toPrecision(2)}, and ` +
      `${sameClass} of them are of the same class.`
    );
  }
  if (format === 'onnx' && images.length > 0) {
    return 'It was not compared with the network: that needs the package onnxruntime-node.';
  }
  return 'It was not compared with the network.';
}
