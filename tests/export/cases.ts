// Networks in all formats, with what to feed them and what should come out, for other programs to run (check.py).

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportOnnx } from '#src/export/onnx/onnx.js';
import { exportSavedModel } from '#src/export/saved-model.js';
import type { Runtime } from '#src/graph/session.js';
import { writeSafetensors } from '#src/weights/safetensors.js';
import type { Example } from './families.js';
import { referenceBatch, referenceNetwork, referenceProbabilities } from './reference-network.js';

export async function writeCase(runtime: Runtime, folder: string, { model, crop }: Example): Promise<void> {
  const network = referenceNetwork(model, { crop });
  const batch = referenceBatch(network);
  const expected = await referenceProbabilities(runtime, network, batch);
  const place = (...names: string[]) => join(folder, model, ...names);
  for (const input of ['bytes', 'floats'] as const) {
    await mkdir(place(`savedmodel-${input}`), { recursive: true });
    await writeFile(place(`savedmodel-${input}`, 'saved_model.pb'), exportSavedModel(network, { input }));
    await writeFile(place(`${input}.onnx`), exportOnnx(network, { input }));
  }
  await writeFile(place('float16.onnx'), exportOnnx(network, { quantize: 'float16' }));
  await writeSafetensors(place('model.safetensors'), { weights: network.weights, metadata: {} });
  await writeFile(place('bytes.bin'), batch.bytes);
  await writeFile(place('floats.bin'), new Uint8Array(batch.floats.buffer));
  await writeFile(place('expected.bin'), expected.data);
  await writeFile(place('case.json'), JSON.stringify({ model, shape: batch.shape }));
}
