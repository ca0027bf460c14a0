import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reportOptions, runReports } from '#src/commands/report.js';
import { type TrainOptions, train } from '#src/library/train.js';
import { readOptions } from '#src/options/given.js';
import type { TestDetail } from '#src/report/test-detail.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { makeRoot, only, removeRoot } from '../training/small-run.js';

describe('the page at the end of a run', () => {
  let root = '';
  before(async () => {
    root = await makeRoot({ trainImages: 6, testImages: 3 });
  });
  after(() => removeRoot(root));

  async function run(options: TrainOptions, onTold: (event: TrainingEvent, stop: AbortController) => void = () => {}) {
    const events: TrainingEvent[] = [];
    const stop = new AbortController();
    const small = {
      model: 'shufflenet_v2_x0_5',
      pretrained: false,
      batch_size: 5,
      precision: 'fp32',
      val_split: 0.4,
    } as const;
    const places = { data_dir: join(root, 'data'), root_dir: root, device: 'cpu' } as const;
    const onEvent = (event: TrainingEvent) => {
      events.push(event);
      onTold(event, stop);
    };
    await train({ ...small, ...places, ...options }, { onEvent, signal: stop.signal });
    return events;
  }

  // A busy machine may have no time for the page of a run that ends before its end.
  const hadNoTime = (events: readonly TrainingEvent[]) =>
    only(events, 'note').some(({ message }) => /no time to write the page/.test(message));

  const results = () => join(root, 'outputs', 'results');
  const fileOf = (run: string, ending: string) => {
    const name = readdirSync(results()).find((found) => found.startsWith(`${run}2`) && found.endsWith(ending));
    assert.ok(name, `no ${ending} of ${run}`);
    return join(results(), name);
  };
  const detailOf = (run: string) => JSON.parse(readFileSync(fileOf(run, '.test.json'), 'utf8')) as TestDetail;

  test('has the very test of the run, which the command finds again', async () => {
    const events = await run({ epochs: 1, run_name: 'whole' });
    const page = fileOf('whole', '.html');
    assert.deepEqual(only(events, 'saved').at(-1), { kind: 'saved', what: 'report', path: page });
    assert.deepEqual(only(events, 'warning'), []);
    const [finished] = only(events, 'finished');
    const detail = detailOf('whole');
    assert.ok(finished?.test);
    assert.equal(detail.images, finished.test.images);
    assert.ok(Math.abs(detail.loss - finished.test.loss) < 1e-5 * detail.loss);
    assert.ok(Math.abs(detail.precisionAt1.percent - finished.test.precisionAt1) < 1e-9);
    assert.equal(readFileSync(page, 'utf8').match(/<img [^>]*src="data:image\/jpeg/g)?.length, 9);

    rmSync(page);
    rmSync(fileOf('whole', '.test.json'));
    const printed: string[] = [];
    const values = { ...readOptions(reportOptions, []), root_dir: root, device: 'cpu' as const };
    await runReports(['whole'], values, { print: (line) => printed.push(line), tell: (line) => assert.fail(line) });
    assert.deepEqual(printed, [`Wrote ${page}\n`]);
    const again = detailOf('whole');
    assert.deepEqual([again.images, again.precisionAt1], [detail.images, detail.precisionAt1]);
    assert.deepEqual(again.confusion, detail.confusion);
    assert.ok(Math.abs(again.loss - detail.loss) < 1e-5 * detail.loss);
  });

  test('of a run that is stopped tells what there is', async () => {
    const events = await run({ epochs: 2, run_name: 'cut' }, ({ kind }, stop) => {
      if (kind === 'step') stop.abort();
    });
    assert.equal(only(events, 'stopped').length, 1);
    assert.deepEqual(only(events, 'warning'), []);
    if (hadNoTime(events)) return;
    assert.match(readFileSync(fileOf('cut', '.html'), 'utf8'), /Stopped: an AbortSignal/);
  });

  test('of a run that fails tells why, and nothing of half a test', async () => {
    const events: TrainingEvent[] = [];
    const failing = run({ epochs: 1, run_name: 'broken' }, (event) => {
      events.push(event);
      if (event.kind === 'evaluation-step' && only(events, 'trained').length > 0) throw new Error('the disk is gone');
    });
    await assert.rejects(failing, /^Error: the disk is gone$/);
    assert.deepEqual(only(events, 'failed'), [{ kind: 'failed', message: 'the disk is gone' }]);
    assert.ok(!readdirSync(results()).some((name) => /^broken.*test\.json$/.test(name)));
    if (hadNoTime(events)) return;
    assert.match(readFileSync(fileOf('broken', '.html'), 'utf8'), /Failed: the disk is gone/);
  });
});
