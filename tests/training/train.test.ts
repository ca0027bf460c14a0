import assert from 'node:assert/strict';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import type { TrainConfig } from '#src/options.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { makeRoot, only, removeRoot, runPart, smallConfig } from './small-run.js';

let root: string;
before(async () => {
  root = await makeRoot();
});
after(() => removeRoot(root));

async function run(change: Partial<TrainConfig> = {}): Promise<TrainingEvent[]> {
  const small = { precision: 'fp32', bad_images: 'error', checkpoint_minutes: 0 } as const;
  return (await runPart(smallConfig(root, { ...small, ...change }))).events;
}

const losses = (events: readonly TrainingEvent[]) => only(events, 'step').map(({ loss }) => loss);

describe('train', () => {
  let events: TrainingEvent[];
  before(async () => {
    events = await run();
  });

  it('tells the run in order', () => {
    const epoch = [
      'epoch-start',
      'step',
      'step',
      'step',
      'evaluation-start',
      'evaluation-step',
      'checkpoint',
      'epoch-end',
    ];
    assert.deepEqual(
      events.map(({ kind }) => kind),
      [
        ...['run', 'device', 'data', 'data', 'data', 'dataset', 'weights', 'model'],
        ...epoch,
        ...epoch,
        ...['saved', 'saved', 'trained', 'evaluation-start', 'evaluation-step', 'tested', 'finished'],
      ],
    );
  });

  it('counts images truly, the last smaller batch included', () => {
    assert.deepEqual(
      only(events, 'data').map(({ split, images }) => [split, images]),
      [
        ['train', 12],
        ['val', 3],
        ['test', 3],
      ],
    );
    assert.deepEqual(
      only(events, 'step').map(({ images }) => images),
      [5, 5, 2, 5, 5, 2],
    );
    const [first] = only(events, 'epoch-end');
    assert.equal(first?.result.train.images, 12);
    assert.equal(first?.result.validation?.images, 3);
  });

  it('reports the mean loss over all images of the epoch', () => {
    const steps = only(events, 'step').filter(({ epoch }) => epoch === 0);
    const mean = steps.reduce((sum, { loss, images }) => sum + loss * images, 0) / 12;
    assert.ok(Math.abs((only(events, 'epoch-end')[0]?.result.train.loss ?? 0) - mean) < 1e-12);
  });

  it('follows the schedule', () => {
    assert.deepEqual(
      only(events, 'epoch-start').map(({ learningRate }) => learningRate),
      [1e-3, 5e-4],
    );
  });

  it('leaves a file with the weights and everything that is needed to use them', async () => {
    const { weights, metadata } = await readSafetensors(join(root, 'outputs/models/test.safetensors'));
    assert.equal(weights.size, 102);
    assert.deepEqual(weights.get('fc.weight')?.shape, [3, 512]);
    assert.deepEqual(weights.get('conv1.weight')?.shape, [64, 3, 7, 7]);
    assert.equal(metadata['model'], 'resnet18');
    assert.equal(metadata['epoch'], '2');
    assert.deepEqual(JSON.parse(metadata['classes'] ?? ''), ['blue', 'green', 'red']);
    assert.equal(JSON.parse(metadata['preprocessing'] ?? '').crop, 224);
    assert.equal(JSON.parse(metadata['options'] ?? '').seed, 7);
    assert.match(JSON.parse(metadata['versions'] ?? '').tensorflow, /^2\./);
  });

  it('repeats itself with the same seed, and only with it', async () => {
    const again = await run({ run_name: 'again' });
    assert.deepEqual(losses(again), losses(events));
    const { weights } = await readSafetensors(join(root, 'outputs/models/test.safetensors'));
    const repeated = await readSafetensors(join(root, 'outputs/models/again.safetensors'));
    assert.deepEqual([...repeated.weights], [...weights]);
    const other = await run({ run_name: 'other', seed: 8, epochs: 1 });
    assert.notEqual(losses(other)[0], losses(events)[0]);
  });

  it('starts from a file of weights, and draws a new head for other classes', async () => {
    await cp(join(root, 'data'), join(root, 'fewer'), { recursive: true });
    for (const split of ['train', 'val']) await rm(join(root, 'fewer', split, 'red'), { recursive: true });
    const weights = join(root, 'outputs/models/test.safetensors');
    const options = { epochs: 1, lr: 1e-12, schedule: 'constant', run_name: 'from-file', weights } as const;
    const started = await run({ ...options, data_dir: join(root, 'fewer') });
    const made = await readSafetensors(join(root, 'outputs/models/from-file.safetensors'));
    const given = await readSafetensors(weights);
    assert.deepEqual(made.weights.get('fc.weight')?.shape, [2, 512]);
    const [madeConv, givenConv] = [made, given].map((file) => file.weights.get('layer4.1.conv2.weight')?.data);
    assert.ok(madeConv?.every((value, index) => Math.abs(value - (givenConv?.[index] ?? 0)) < 1e-9));
    assert.equal(only(started, 'weights')[0]?.newLayer, 'fc');
    assert.equal(only(started, 'weights')[0]?.source, weights);
  });

  it('trains without validation or test where there are none', async () => {
    await cp(join(root, 'data', 'train'), join(root, 'bare', 'train'), { recursive: true });
    const bare = await run({ epochs: 1, val_split: 0, data_dir: join(root, 'bare'), run_name: 'bare' });
    assert.deepEqual(
      only(bare, 'data').map(({ split, images }) => [split, images]),
      [['train', 15]],
    );
    assert.equal(only(bare, 'evaluation-start').length, 0);
    const [finished] = only(bare, 'finished');
    assert.equal(finished?.validation, undefined);
    assert.equal(finished?.test, undefined);
  });

  it('reads no test image with --test=False', async () => {
    const data = join(root, 'untested');
    await cp(join(root, 'data', 'train'), join(data, 'train'), { recursive: true });
    await mkdir(join(data, 'val', 'blue'), { recursive: true });
    await writeFile(join(data, 'val', 'blue', 'no-image.jpg'), 'not an image');
    const events = await run({ epochs: 1, test: false, data_dir: data, run_name: 'untested', bad_images: 'error' });
    assert.equal(only(events, 'tested').length, 0);
    const [finished] = only(events, 'finished');
    assert.ok(finished?.validation);
    assert.equal(finished.test, undefined);
  });

  it('says before it looks at the data that pretrained weights are out of reach', async () => {
    Object.assign(process.env, { HF_HOME: join(root, 'huggingface'), HF_HUB_OFFLINE: '1' });
    for (const weights of [undefined, 'hf:timm/resnet18.tv_in1k']) {
      await assert.rejects(run({ pretrained: true, weights, data_dir: '/nowhere' }), (error: Error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /can't be had: tried .*HF_HUB_OFFLINE is set/);
        return true;
      });
    }
  });

  it('refuses to freeze what the network does not have, before it looks at anything else', async () => {
    await assert.rejects(run({ freeze: 'layer9', data_dir: '/nowhere' }), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /names no part of the network: expected none, backbone, or one of conv1, .*layer4/);
      return true;
    });
  });
});
