// Whole runs, the program's own, with a W&B server that takes 5 s for each answer or gives none. What training loses by
// that, `node build/bench/wandb.js` measures.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { start } from '../faults/program.js';
import { makePlace } from './wandb-place.js';
import { apiKey, type Fault } from './wandb-server.js';

const data = join(import.meta.dirname, '../../../tests/places_test_input');
const epochs = 3;
const recipe = ['--model=squeezenet1_1', '--pretrained=False', '--batch_size=16', '--lr=1e-4', '--device=cpu'];

suite('training with a W&B server that is', { concurrency: 2 }, () => {
  for (const [what, fault] of [
    ['slow', { delayMs: 5_000 }],
    ['mute', { hang: true }],
  ] satisfies [string, Fault][]) {
    test(`${what} ends as it would without, with one warning, and what is missing can be sent`, async (context) => {
      const { server, folder, fail, state, sync, stepsOf } = await makePlace(context);
      fail('any', fault);
      const where = [`--root_dir=${folder}`, `--data_dir=${data}`, '--run_name=mine', `--epochs=${epochs}`];
      const env = { WB_KEY: apiKey, WB_PROJECT: 'streets', WB_USER: 'me', WANDB_BASE_URL: server.baseUrl };
      const run = start([...where, ...recipe, '--wandb=True'], { env });
      assert.ok(await run.printed(/LOSS train .* test /), run.output());
      const trainedMs = run.elapsedMs();
      const { code, elapsedMs, output } = await run.ended;
      assert.equal(code, 0, output);
      // The end waits for 10 s, a busy machine for longer.
      assert.ok(elapsedMs - trainedMs < 200_000, `${elapsedMs - trainedMs} ms`);
      const warnings = output.split('\n').filter((line) => line.startsWith('WARNING'));
      assert.equal(warnings.length, 1, output);
      assert.match(warnings[0] ?? '', /W&B does not get everything: .* `deep-cnn wandb sync mine` sends it later/);
      assert.deepEqual([state().rows.length, state().exitCode, state().isClosed], [epochs, 0, false]);
      assert.ok('loss_test' in state().summary);

      server.behave = () => undefined;
      assert.equal((await sync()).code, 0);
      assert.deepEqual(stepsOf(), [1, 2, 3]);
    });
  }
});
