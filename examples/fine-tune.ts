// Fine-tunes a network on a folder of images.
//
//   node fine-tune.js FOLDER [--model=NAME] [--epochs=COUNT] [--random]     --random starts without pretrained weights

import { parseArgs } from 'node:util';
import { train, UserError } from 'deep-cnn';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'efficientnet_lite0' },
    epochs: { type: 'string', default: '3' },
    random: { type: 'boolean', default: false },
  },
});

try {
  const run = await train(
    {
      data_dir: positionals[0] ?? 'photos',
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
} catch (error) {
  // A mistake in the options or the data; anything else is a bug.
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
