import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makePlace } from './wandb-place.js';
import { epoch, finished, resultOf, resumed, stopped, tested } from './wandb-run.js';
import { apiKey, type Fault, type SeenRequest } from './wandb-server.js';

const allKinds = ['query', 'viewer', 'upsert', 'describe', 'stream', 'complete'] as const;

// Most of the time is spent in waiting.
suite('a run at W&B', { concurrency: 8 }, () => {
  test('a run arrives with its options, a row for each epoch, the test in its summary, and its end', async (context) => {
    const { server, path, run, state, stored } = await makePlace(context);
    const { warnings, addresses } = await run({ env: { WANDB_RUN_GROUP: 'first', WANDB_TAGS: 'a, b' } });
    const found = stored();
    assert.ok(found);
    assert.equal(found.displayName, 'mine');
    assert.deepEqual(found.config, { model: { value: 'resnet18' }, lr: { value: 0.01 }, wandb: { value: true } });
    assert.equal(found.group, 'first');
    assert.deepEqual(found.tags, ['a', 'b']);
    assert.equal(found.history.length, 2);
    const { _timestamp, _runtime, ...row } = found.history[1] ?? {};
    assert.deepEqual(row, {
      _step: 2,
      loss_train: 0.5,
      'precision_train@1': 12.345678,
      'precision_train@5': 100,
      loss_val: 2,
      'precision_val@1': 12.345678,
      'precision_val@5': 100,
      lr: 0.001,
      images_per_second: 18.8123,
    });
    assert.ok(Math.abs(Number(_timestamp) - Date.now() / 1000) < 60 && Number(_runtime) < 60);
    const { loss_test, 'precision_test@1': at1, 'precision_test@5': at5, loss_train } = found.summary;
    assert.deepEqual([loss_test, at1, at5, loss_train], [1.5, 12.345678, 100, 0.5]);
    assert.deepEqual([found.state, found.exitCode], ['finished', 0]);
    assert.deepEqual(found.arrivals, [1, 1]);
    assert.deepEqual(warnings, []);
    assert.deepEqual(addresses, [`${server.baseUrl}/me/streets/runs/mine`]);
    assert.ok(state().isClosed);
    assert.ok(!JSON.stringify(server.requests.map(({ body }) => body)).includes(apiKey));
    assert.ok(!readFileSync(path, 'utf8').includes(apiKey));
  });

  test('without WB_USER and WB_PROJECT the run is the own user’s, in a project named after the program', async (context) => {
    const { run, stepsOf } = await makePlace(context);
    await run({ env: { WB_USER: '', WB_PROJECT: '' } });
    assert.deepEqual(stepsOf('student/deep-cnn/mine'), [1, 2]);
  });

  test('numbers that JSON does not know arrive by their names', async (context) => {
    const { start, stored } = await makePlace(context);
    const started = start();
    started.tell(...epoch(1, Number.NaN), finished);
    await started.reporter.close();
    assert.equal(stored()?.history[0]?.['loss_train'], 'NaN');
  });

  test('nothing is sent or written before the first epoch, nor when W&B is disabled', async (context) => {
    const { server, folder, start, run } = await makePlace(context);
    const started = start();
    started.tell({ kind: 'failed', message: 'no data' });
    await started.reporter.close();
    await run({ env: { WANDB_MODE: 'disabled' } });
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(server.requests.length, 0);
  });

  test('a stopped run is marked as one to go on, and goes on; each step arrives once', async (context) => {
    const { server, start, stored, stepsOf } = await makePlace(context);
    const first = start();
    first.tell(...epoch(1), ...epoch(2), stopped);
    await first.reporter.close();
    assert.ok(server.requests.some(({ body }) => body['preempting'] === true));
    assert.equal(stored()?.exitCode, 75);
    const second = start();
    second.tell(resumed([resultOf(1), resultOf(2)]), ...epoch(3), tested, finished);
    await second.reporter.close();
    assert.deepEqual(stepsOf(), [1, 2, 3]);
    assert.deepEqual(stored()?.arrivals, [1, 1, 1]);
    assert.deepEqual([stored()?.state, stored()?.exitCode], ['finished', 0]);
    const runtimes = stored()?.history.map((row) => Number(row['_runtime'])) ?? [];
    assert.deepEqual([...runtimes].sort(), runtimes, 'the clock of the run goes on');
  });

  test('an epoch that was sent and is trained again after a kill takes the place of the first', async (context) => {
    const { server, start, stored, stepsOf } = await makePlace(context);
    const first = start();
    first.tell(...epoch(1), ...epoch(2), ...epoch(3, 0.9));
    await server.until(() => stored()?.history.length === 3);
    await first.reporter.close();
    const second = start();
    second.tell(resumed([resultOf(1), resultOf(2)]), ...epoch(3, 0.8), ...epoch(4), finished);
    await second.reporter.close();
    assert.deepEqual(stepsOf(), [1, 2, 3, 4]);
    assert.equal(stored()?.history[2]?.['loss_train'], 0.8);
    assert.deepEqual(stored()?.arrivals, [1, 1, 2, 1]);
  });

  test('rows that neither the server nor this disk has come from the checkpoint', async (context) => {
    const { start, stepsOf } = await makePlace(context);
    const started = start();
    started.tell(resumed([1, 2, 3].map((number) => resultOf(number))), ...epoch(4), finished);
    await started.reporter.close();
    assert.deepEqual(stepsOf(), [1, 2, 3, 4]);
  });

  test('a new run of an old name overwrites it from its first row on', async (context) => {
    const { start, run, stored } = await makePlace(context);
    await run();
    const again = start();
    again.tell(...epoch(1, 0.7), ...epoch(2, 0.6), finished);
    await again.reporter.close();
    assert.deepEqual(
      stored()?.history.map((row) => row['loss_train']),
      [0.7, 0.6],
    );
  });

  test('offline, rows are on this disk as soon as their epoch is over, and no request is made', async (context) => {
    const { server, start, state } = await makePlace(context);
    const started = start({ env: { WANDB_MODE: 'offline', WB_KEY: '' } });
    started.tell(...epoch(1));
    assert.deepEqual(
      state().rows.map(({ _step }) => _step),
      [1],
    );
    started.tell(...epoch(2), tested, finished);
    await started.reporter.close();
    const { run: recorded, rows, summary, exitCode, isClosed } = state();
    assert.deepEqual([recorded?.id, rows.length, summary['loss_test'], exitCode, isClosed], ['mine', 2, 1.5, 0, false]);
    assert.equal(server.requests.length, 0);
    assert.deepEqual(started.warnings, []);
  });

  for (const [what, fault, kinds] of [
    ['a connection cut before a request is heeded', { cut: 'before' }, allKinds],
    ['a connection cut before the answer', { cut: 'after' }, allKinds],
    ['an error 500', { status: 500 }, allKinds],
    ['a rate limit', { status: 429, headers: { 'Retry-After': '0' } }, ['query', 'stream', 'complete']],
    ['an answer that never comes', { hang: true }, ['query', 'viewer', 'upsert', 'stream', 'complete']],
  ] satisfies [string, Fault, readonly SeenRequest['kind'][]][]) {
    for (const kind of kinds) {
      test(`${what} (${kind}) is got over: each step arrives, and the end`, async (context) => {
        const { run, state, stored, stepsOf, fail } = await makePlace(context);
        fail(kind, fault, 2);
        const { warnings } = await run('hang' in fault ? { requestMs: 700 } : {});
        assert.deepEqual(stepsOf(), [1, 2]);
        assert.deepEqual([stored()?.state, stored()?.exitCode, stored()?.summary['loss_test']], ['finished', 0, 1.5]);
        const isHiccup = kind === 'stream' || kind === 'complete';
        // Where answers are waited for so shortly, a busy machine has more troubles than were asked for.
        if (!(isHiccup && 'hang' in fault)) assert.equal(warnings.length, isHiccup ? 0 : 1, warnings.join());
        assert.ok(state().isClosed);
      });
    }
  }

  test('a rate limit’s own wait is kept', async (context) => {
    const { run, fail } = await makePlace(context);
    fail('query', { status: 429, headers: { 'Retry-After': '0.2' } }, 1);
    const before = performance.now();
    await run();
    assert.ok(performance.now() - before >= 200);
  });

  for (const kind of ['viewer', 'upsert'] as const) {
    test(`a refusal of the SDK's own start (${kind}) is told as the server said it`, async (context) => {
      const { run, fail } = await makePlace(context);
      fail(kind, { status: 403 });
      const { warnings } = await run();
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /: it answers 403 \(as told\)\. Training goes on/);
    });
  }

  test('a refusal is told as the server said it, too, where training keeps this thread busy', async (context) => {
    const { run, fail } = await makePlace(context);
    fail('upsert', { status: 403 });
    const busy = setInterval(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300), 1);
    context.after(() => clearInterval(busy));
    const { warnings } = await run();
    assert.match(warnings.join(), /^W&B does not get everything: it answers 403 \(as told\)\. Training goes on/);
  });

  for (const status of [401, 403, 404]) {
    test(`a refusal (${status}) ends the attempts, and is told in one warning`, async (context) => {
      const { server, run, state, fail } = await makePlace(context);
      fail('any', { status });
      const { warnings } = await run();
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /^W&B does not get everything: .* `deep-cnn wandb sync mine` sends it later\.$/);
      assert.match(warnings[0] ?? '', status === 401 ? /does not accept the API key/ : new RegExp(`${status}`));
      assert.equal(server.requests.length, 1);
      assert.equal(state().rows.length, 2);
    });
  }

  test('a server that is not there, or never answers, costs one warning and a bounded time at the end', async (context) => {
    const { start, state, fail } = await makePlace(context);
    for (const unreachable of [{ WANDB_BASE_URL: 'http://127.0.0.1:1' }, {}]) {
      fail('any', { hang: true });
      const started = start({ env: unreachable, flushMs: 300 });
      started.tell(...epoch(1), ...epoch(2), tested, finished);
      const before = performance.now();
      await started.reporter.close();
      const tookMs = performance.now() - before;
      // Less than a single answer may take.
      assert.ok(tookMs < 200_000, `${tookMs} ms`);
      assert.equal(started.warnings.length, 1, started.warnings.join());
      assert.equal(state().rows.length, 2);
      assert.equal(state().exitCode, 0);
    }
  });

  test('a server that goes away amid the run and comes back gets every step once', async (context) => {
    const { server, start, stored, stepsOf } = await makePlace(context);
    const started = start();
    started.tell(...epoch(1), ...epoch(2));
    await server.until(() => stored()?.history.length === 2);
    await server.stop();
    started.tell(...epoch(3), ...epoch(4));
    while (started.warnings.length === 0) await sleep(20);
    await server.resume();
    started.tell(...epoch(5), finished);
    await started.reporter.close();
    assert.deepEqual(stepsOf(), [1, 2, 3, 4, 5]);
    assert.deepEqual(stored()?.arrivals, [1, 1, 1, 1, 1]);
    assert.equal(started.warnings.length, 1);
  });

  test('a journal that cannot be written is one warning; the server gets the run', async (context) => {
    const { folder, run, stepsOf } = await makePlace(context);
    writeFileSync(join(folder, 'outputs'), 'in the way');
    const { warnings } = await run();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /^cannot write to .*journal\.jsonl: /);
    assert.deepEqual(stepsOf(), [1, 2]);
    assert.ok(existsSync(join(folder, 'outputs')));
  });
});
