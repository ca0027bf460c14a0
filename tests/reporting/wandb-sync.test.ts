import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { runWandb } from '#src/commands/wandb.js';
import { readJournal } from '#src/reporting/wandb-journal.js';
import { makePlace } from './wandb-place.js';
import { epoch, finished, resultOf, resumed, stopped, tested } from './wandb-run.js';
import type { Fault, SeenRequest } from './wandb-server.js';

// Most of the time is spent in waiting.
suite('deep-cnn wandb sync', { concurrency: 8 }, () => {
  test('an offline run arrives whole; a second time sends nothing', async (context) => {
    const { server, path, record, sync, stored } = await makePlace(context);
    await record([...epoch(1), ...epoch(2), tested, finished]);
    const recorded = readJournal(path).rows;
    const address = `${server.baseUrl}/me/streets/runs/mine`;
    assert.deepEqual(await sync(), { code: 0, printed: `mine: 2 epochs sent to ${address}\n` });
    assert.deepEqual(stored()?.history, recorded, 'with the times of their epochs');
    assert.deepEqual([stored()?.state, stored()?.exitCode, stored()?.summary['loss_test']], ['finished', 0, 1.5]);
    assert.deepEqual(stored()?.config['lr'], { value: 0.01 });
    const requests = server.requests.length;
    assert.deepEqual(await sync(), { code: 0, printed: 'mine: W&B has everything already\n' });
    assert.equal(server.requests.length, requests);
  });

  test('a run can be sent while it goes on, after each part of it, and each step arrives once', async (context) => {
    const { record, sync, stored, stepsOf } = await makePlace(context);
    await record([...epoch(1), ...epoch(2)], { closed: false });
    await sync();
    assert.deepEqual([stepsOf(), stored()?.state], [[1, 2], 'running']);
    assert.match((await sync()).printed, /everything already/);
    await record([resumed([resultOf(1), resultOf(2)]), ...epoch(3), stopped]);
    await sync();
    assert.equal(stored()?.exitCode, 75);
    await record([resumed([1, 2, 3].map((number) => resultOf(number))), ...epoch(4), tested, finished]);
    await sync();
    assert.deepEqual(stepsOf(), [1, 2, 3, 4]);
    assert.deepEqual(stored()?.arrivals, [1, 1, 1, 1]);
    assert.deepEqual([stored()?.state, stored()?.exitCode], ['finished', 0]);
  });

  for (const [kind, fault] of [
    ['query', { cut: 'before' }],
    ['query', { hang: true }],
    ['upsert', { status: 500 }],
    ['stream', { cut: 'before' }],
    ['stream', { cut: 'after' }],
    ['stream', { status: 500 }],
    ['complete', { cut: 'after' }],
    ['complete', { hang: true }],
  ] satisfies [SeenRequest['kind'], Fault][]) {
    test(`exits with 75 when ${JSON.stringify(fault)} meets each ${kind}, and sends the rest the next time`, async (context) => {
      const { server, record, sync, fail, stored, stepsOf } = await makePlace(context);
      await record([...epoch(1), ...epoch(2), finished]);
      fail(kind, fault);
      const { code, printed } = await sync(['mine'], 'hang' in fault || kind === 'upsert' ? { requestMs: 500 } : {});
      assert.equal(code, 75);
      assert.match(
        printed,
        /mine: W&B can't be reached: .*\. It has [02] of 2 epochs; the same command sends the rest\n$/,
      );
      server.behave = () => undefined;
      assert.equal((await sync()).code, 0);
      assert.deepEqual([stepsOf(), stored()?.state], [[1, 2], 'finished']);
    });
  }

  test('a refused key is the user’s mistake, and none too', async (context) => {
    const { record, sync } = await makePlace(context);
    await record([...epoch(1), finished]);
    const message = /^W&B at http:\S+ refuses the run: it does not accept the API key \(401\)\. Check WB_KEY/;
    await assert.rejects(sync(['mine'], { env: { WB_KEY: 'another-key' } }), { name: 'UserError', message });
    await assert.rejects(sync(['mine'], { env: { WB_KEY: '' } }), { name: 'UserError', message: /needs an API key/ });
  });

  test('several runs are sent, and one that is not there is named before anything is sent', async (context) => {
    const { server, record, sync } = await makePlace(context);
    await record([...epoch(1), finished]);
    await record([...epoch(1), ...epoch(2), finished], { run_name: 'other one' });
    const message = /^There is no run 'mime' for W&B here: expected one of mine, other one\. Did you mean mine\.$/;
    await assert.rejects(sync(['mine', 'mime']), { name: 'UserError', message });
    assert.equal(server.requests.length, 0);
    assert.equal((await sync(['mine', 'other one'])).code, 0);
    assert.deepEqual([...server.runs.keys()], ['me/streets/mine', 'me/streets/other-one-79374ddb']);
  });

  test('the words after wandb are checked', async (context) => {
    const { folder } = await makePlace(context);
    const use = (...words: string[]) => runWandb(words, { root_dir: folder }, { print: assert.fail });
    const refused = (found: string) => ({
      name: 'UserError',
      message: new RegExp(`^Bad use of deep-cnn wandb: .*${found}`),
    });
    await assert.rejects(use(), refused('found nothing'));
    await assert.rejects(use('sync'), refused('found no name'));
    await assert.rejects(use('snyc', 'mine'), refused("found 'snyc'. Did you mean sync"));
    await assert.rejects(use('sync', 'mine'), { message: /expected a run that was made with --wandb=True/ });
  });

  test('a journal that was cut off anywhere, or has foreign lines, keeps the lines that are whole', async (context) => {
    const { path, record } = await makePlace(context);
    await record([...epoch(1), ...epoch(2), finished]);
    const whole = readFileSync(path);
    const rows = [];
    for (let bytes = 0; bytes <= whole.length; bytes += 7) {
      writeFileSync(path, whole.subarray(0, bytes));
      rows.push(readJournal(path).rows.length);
    }
    assert.deepEqual([...new Set(rows)], [0, 1, 2]);
    writeFileSync(path, whole.subarray(0, whole.length - 30));
    appendFileSync(path, '\nnull\n{"kind":"row"}\n{"kind":"row","row":{"_step":"x"}}\n[]\n{"kind":"sent"');
    await record([resumed([resultOf(1), resultOf(2)]), ...epoch(3), finished]);
    assert.deepEqual(
      readJournal(path).rows.map(({ _step }) => _step),
      [1, 2, 3],
    );
    assert.equal(readJournal(path).exitCode, 0);
  });
});
