// Fine-tunes a network on a folder of images, measures it on those that were held back, and asks it about single ones.
//
//   node fine-tune.js FOLDER [--model=NAME] [--epochs=COUNT] [--random]     --random starts without pretrained weights

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { evaluate, loadModel, train, UserError } from 'deep-cnn';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'efficientnet_lite0' },
    epochs: { type: 'string', default: '3' },
    random: { type: 'boolean', default: false },
  },
});
const folder = positionals[0] ?? 'photos';

try {
  const run = await train(
    {
      data_dir: folder,
      model: values.model,
      pretrained: !values.random,
      epochs: Number(values.epochs),
      batch_size: 16,
      run_name: 'example',
    },
    {
      signal: AbortSignal.timeout(3_600_000),
      onEvent: (event) => {
        if (event.kind !== 'epoch-end') return;
        const { epoch, validation } = event.result;
        console.log(`epoch ${epoch}: validation loss ${validation?.loss.toFixed(4) ?? 'unknown'}`);
      },
    },
  );
  console.log(`the run is ${run.outcome}; its network: ${run.bestModelPath}`);

  const { precisionAt1, images, mistakes } = await evaluate({ run: 'example', best: true });
  console.log(`right for ${precisionAt1.percent.toFixed(1)} % of ${images} images`);
  for (const { actual, predicted } of mistakes.slice(0, 3)) console.log(`${actual} was taken for ${predicted}`);

  const model = await loadModel({ run: 'example', best: true });
  for await (const { image, top, error } of model.predict(join(folder, 'val'), { top_k: 2 })) {
    console.log(
      image,
      error ?? top.map(({ category, probability }) => `${category} ${probability.toFixed(3)}`).join(', '),
    );
  }
  model.close();
} catch (error) {
  // A mistake in the options or the data; anything else is a bug.
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
