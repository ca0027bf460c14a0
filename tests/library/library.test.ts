// The library as a TypeScript program uses it: a small run that is stopped, gone on with, measured and asked.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import {
  evaluate,
  loadModel,
  type Prediction,
  predict,
  type TrainingEvent,
  type TrainOptions,
  train,
  UserError,
} from 'deep-cnn';
import { float32, Graph, gradients, mul, openRuntime, openSession, outputOf, placeholder, sum } from 'deep-cnn/graph';

const data_dir = join(process.cwd(), 'tests/places_test_input');
const root_dir = mkdtempSync(join(tmpdir(), 'deep-cnn-library-'));
after(() => rmSync(root_dir, { recursive: true }));

const options: TrainOptions = {
  ...{ data_dir, root_dir, model: 'squeezenet1_1', pretrained: false, epochs: 2, batch_size: 16, device: 'cpu' },
  run_name: 'small',
};

const signalListeners = () => ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'].map((name) => process.listenerCount(name));

test('a signal stops a run, which goes on later; hooks hear what happens', async () => {
  const before = signalListeners();
  const controller = new AbortController();
  const kinds = new Set<TrainingEvent['kind']>();
  const stopped = await train(options, {
    signal: controller.signal,
    onEvent: (event) => {
      kinds.add(event.kind);
      assert.deepEqual(signalListeners(), before);
      if (event.kind === 'step' && event.epoch === 1) controller.abort();
    },
  });
  assert.deepEqual([stopped.outcome, stopped.history.length, stopped.test], ['stopped', 1, undefined]);
  assert.ok(stopped.checkpointPath && existsSync(stopped.checkpointPath));
  for (const kind of ['device', 'dataset', 'step', 'epoch-end', 'stopped'] as const) assert.ok(kinds.has(kind), kind);

  const screen = new PassThrough();
  const finished = await train({ run_name: 'small', root_dir, resume: 'last' }, { screen });
  assert.deepEqual([finished.outcome, finished.history.map(({ epoch }) => epoch)], ['finished', [1, 2]]);
  assert.equal(finished.modelPath, join(root_dir, 'outputs/models/small.safetensors'));
  assert.ok(finished.bestModelPath && existsSync(finished.bestModelPath));
  assert.match(String(screen.read()), /LOSS train/);

  // The network of the run measures what the run has measured.
  const { loss, precisionAt1, images } = await evaluate({ run: 'small', root_dir, device: 'cpu' });
  assert.deepEqual([images, precisionAt1.percent], [finished.test?.images, finished.test?.precisionAt1]);
  assert.ok(Math.abs(loss - (finished.test?.loss ?? 0)) < 1e-3, `${loss} ${finished.test?.loss}`);
});

test('a loaded model tells of files and folders, and its predictions can be left early', async () => {
  const model = await loadModel({ run: 'small', root_dir, device: 'cpu' });
  assert.deepEqual([model.model, model.classes.length], ['squeezenet1_1', 5]);
  const seen: Prediction[] = [];
  for await (const each of model.predict(join(data_dir, 'val'), { top_k: 2 })) seen.push(each);
  assert.ok(seen.length > 5);
  for (const { top, trueClass } of seen) {
    assert.equal(top.length, 2);
    assert.ok(trueClass && model.classes.includes(trueClass));
  }
  for await (const { image } of model.predict([seen[3]?.image ?? ''])) assert.equal(image, seen[3]?.image);
  model.close();
  for await (const first of predict(join(data_dir, 'val'), { run: 'small', root_dir, device: 'cpu' })) {
    assert.equal(first.top[0]?.category, seen[0]?.top[0]?.category);
    break;
  }
});

test('mistakes are UserErrors with their parts', async () => {
  const mistaken = (values: object, message: RegExp) =>
    assert.rejects(train(values), (error) => error instanceof UserError && message.test(error.message));
  await mistaken({ epochs: 0 }, /^Bad value for epochs: expected an integer, 1 or more, found '0'\.$/);
  await mistaken({ epohcs: 1 }, /^Unknown option epohcs\. Did you mean epochs\? .*options\.$/);
  await mistaken({ model: 'resnt18', data_dir, root_dir }, /Did you mean resnet18/);
  await assert.rejects(evaluate({ root_dir }), { name: 'UserError', message: /^No network to use/ });
  await assert.rejects(predict('nowhere', { run: 'small', root_dir }).next(), /no file or folder nowhere/);
  await assert.rejects(train(options, { signal: AbortSignal.abort('no time') }), (error) => error === 'no time');
});

test('importing the library loads neither TensorFlow.js nor what decodes or draws', () => {
  const program = `await import('deep-cnn');
    const { createRequire } = await import('node:module');
    console.log(Object.keys(createRequire(import.meta.url)('node:module')._cache ?? {}).join('\\n'));`;
  const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.doesNotMatch(loaded, /tensorflow|sharp|protobuf/);
});

test('the graph builder differentiates and runs', async () => {
  const graph = new Graph();
  const x = placeholder(graph, 'x', 'float32', [3]);
  const [dx] = gradients(sum(mul(x, x)), [x]);
  assert.ok(dx);
  const session = await openSession(await openRuntime('cpu'), graph, { run: { inputs: { x }, outputs: { dx } } });
  const outputs = session.run('run', { x: float32([1, 2, 3]) });
  assert.deepEqual([...outputOf(outputs, 'dx').data], [2, 4, 6]);
  session.dispose();
});
