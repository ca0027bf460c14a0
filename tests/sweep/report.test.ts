import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { writeSweepReport } from '#src/sweep/report.js';
import { describeSweep } from '#src/sweep/status.js';
import type { StudyState, Trial } from '#src/sweep/study.js';
import { bestTrial } from '#src/sweep/sweep.js';

const folder = mkdtempSync(join(tmpdir(), 'sweep-report-'));
after(() => rmSync(folder, { recursive: true }));

function trial(number: number, change: Partial<Trial>): Trial {
  const times = { started: '2026-01-01T00:00:00+00:00', ended: '2026-01-01T00:01:00+00:00' };
  return { number, state: 'COMPLETE', params: {}, value: null, attributes: {}, reports: {}, ...times, ...change };
}

const state: StudyState = {
  attributes: {
    definition: JSON.stringify({ method: 'random', metric: 'val_precision@1' }),
    tests: [{ trial: 2, loss: 0.5, precisionAt1: 81.25, precisionAt5: 100, images: 16 }],
  },
  trials: [
    trial(0, { value: 50, params: { lr: 1e-5, freeze: '<i>, "all"' }, attributes: { epoch: 3, val_loss: 1.5 } }),
    trial(1, { state: 'PRUNED', params: { lr: 1e-2, freeze: 'none' }, attributes: { pruned_after: 1 } }),
    trial(2, { value: 75, params: { lr: 1e-3, freeze: 'none' } }),
    trial(3, {
      state: 'FAIL',
      params: { lr: 1, freeze: 'none' },
      attributes: { failures: ['SIGKILL', 'exit code 1'] },
    }),
    trial(4, { value: 75, params: { lr: 1e-4, freeze: 'none' } }),
  ],
};

it('chooses the first of the best trials', () => {
  assert.equal(bestTrial(state, { metric: 'val_precision@1' })?.number, 2);
  assert.equal(bestTrial(state, { metric: 'val_loss' })?.number, 0);
  assert.equal(bestTrial({ attributes: {}, trials: [] }, { metric: 'val_loss' }), undefined);
});

it('writes tables that hold every trial, and a page that fetches nothing', async () => {
  const best = bestTrial(state, { metric: 'val_precision@1' });
  const about = {
    name: 'first',
    method: 'random',
    metric: 'val_precision@1',
    importance: { lr: 0.7, freeze: 0.3 },
  } as const;
  const paths = await writeSweepReport(folder, { ...about, state, best });
  const [trials = '', importance = '', page = ''] = paths.map((path) => readFileSync(path, 'utf8'));
  const rows = trials.trim().split('\n');
  assert.equal(rows.length, 6);
  assert.match(rows[0] ?? '', /^trial,run,state,value,epoch,val_loss,.*,freeze,lr,failures,started,ended$/);
  assert.match(rows[1] ?? '', /^0,first-0,COMPLETE,50,3,1\.5,,,"<i>, ""all""",0\.00001,0,/);
  assert.match(rows[4] ?? '', /^3,first-3,FAIL,,.*,2,/);
  assert.equal(importance, 'parameter,importance\nlr,0.7\nfreeze,0.3\n');
  assert.match(page, /The best is trial 2<\/strong>, run first-2: val_precision@1 75 with lr=0\.001 freeze=none/);
  assert.match(page, /precision@1 81\.25 %/);
  assert.equal(page.match(/<svg/g)?.length, 4);
  assert.ok(page.includes('&lt;i&gt;'));
  assert.doesNotMatch(page, /<i>|<script|<link|src="|@import/);
});

it('tells how far a sweep is', () => {
  const lines = describeSweep(state, 'first');
  assert.equal(lines[0], 'Sweep first: 5 trials told, 0 begun and not told');
  assert.match(lines[1] ?? '', /^Trial +State +val_precision@1 +Epoch +Options\n0 +complete +50 +3 +lr=0\.00001/);
  assert.deepEqual(lines.slice(2), [
    'The best is trial 2, run first-2',
    'Test of trial 2: loss 0.5, precision@1 81.25, precision@5 100',
  ]);
});
