// TensorBoard's event files and W&B's journal where the disk is full.
import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { EpochResult, Reporter, TrainingEvent } from '#src/reporting/events.js';
import { createTensorboard, tensorboardFolder } from '#src/reporting/tensorboard.js';
import { stepsOf } from '#src/reporting/tensorboard-file.js';
import { readEvents } from '#src/reporting/tensorboard-record.js';
import { createWandb } from '#src/reporting/wandb.js';
import { journalFile, readJournal } from '#src/reporting/wandb-journal.js';
import { smallDisk } from '../small-disk.js';
import { step } from './run.js';
import { epoch, finished, resultOf, resumed, tested } from './wandb-run.js';

interface Tracked {
  warnings: string[];
  tell: (...events: TrainingEvent[]) => void;
  close: () => Promise<void>;
}

interface Tracker {
  create: (root: string, onWarning: (message: string) => void) => Reporter;
  /** The epochs that are on disk; every file is whole. */
  epochsOf: (root: string) => number[];
  hasTest: (root: string) => boolean;
}

const place = (root: string) => ({ root_dir: root, run_name: 'mine' });

const trackers: Record<string, Tracker> = {
  "TensorBoard's event files": {
    create: (root, warn) =>
      createTensorboard({ folder: tensorboardFolder(place(root)), onFailure: (error) => warn(String(error)) }),
    epochsOf: (root) => {
      const folder = tensorboardFolder(place(root));
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        if (name.includes('tfevents')) assert.ok([...readEvents(readFileSync(join(folder, name)))].length > 0, name);
      }
      return [...stepsOf(folder, 'loss/train')];
    },
    hasTest: (root) => stepsOf(tensorboardFolder(place(root)), 'loss/test').size === 1,
  },
  "W&B's journal": {
    create: (root, onWarning) => {
      const env = { WANDB_MODE: 'offline', HOME: root };
      return createWandb({ config: place(root), env, onWarning, onAddress: () => {} });
    },
    epochsOf: (root) => readJournal(journalFile(place(root))).rows.map(({ _step }) => _step),
    hasTest: (root) => 'loss_test' in readJournal(journalFile(place(root))).summary,
  },
};

function begin({ create }: Tracker, root: string): Tracked {
  const warnings: string[] = [];
  const reporter = create(root, (message) => warnings.push(message));
  const tell = (...events: TrainingEvent[]) => {
    for (const event of events) reporter.handle(event);
  };
  tell({ kind: 'run', parameters: { model: 'resnet18' } });
  return { warnings, tell, close: async () => reporter.close() };
}

/** A disk that is full behind the run's first epoch; and its filler, to be removed. */
function fullDisk(t: TestContext, { tell }: Tracked, root: string): string {
  tell(...epoch(1));
  const filler = join(root, 'filler');
  try {
    for (;;) appendFileSync(filler, Buffer.alloc(4096));
  } catch {
    t.after(() => rmSync(filler, { force: true }));
    return filler;
  }
}

const count = 60;
const all = Array.from({ length: count }, (_, index) => index + 1);
const history = (length: number): EpochResult[] => all.slice(0, length).map((number) => resultOf(number));

for (const [name, tracker] of Object.entries(trackers)) {
  test(`${name}: a full disk is told once, and all is written when there is room again`, async (t) => {
    const root = smallDisk(t, 2 ** 18);
    if (root === undefined) return;
    const run = begin(tracker, root);
    const filler = fullDisk(t, run, root);
    for (const number of all.slice(1, -1)) run.tell(step(number - 1, 1, 1), ...epoch(number));
    assert.equal(run.warnings.length, 1, run.warnings.join());
    assert.match(run.warnings[0] ?? '', /ENOSPC|no space/i);
    assert.ok(tracker.epochsOf(root).length < count - 1);
    rmSync(filler);
    run.tell(...epoch(count), tested, finished);
    assert.deepEqual(tracker.epochsOf(root), all);
    assert.ok(tracker.hasTest(root));
    await run.close();
    assert.deepEqual([tracker.epochsOf(root), run.warnings.length], [all, 1]);
  });

  test(`${name}: room that comes at the very end is used`, async (t) => {
    const root = smallDisk(t, 2 ** 18);
    if (root === undefined) return;
    const run = begin(tracker, root);
    const filler = fullDisk(t, run, root);
    for (const number of all.slice(1)) run.tell(...epoch(number));
    run.tell(tested, finished);
    rmSync(filler);
    await run.close();
    assert.deepEqual(tracker.epochsOf(root), all);
    assert.ok(tracker.hasTest(root));
  });

  test(`${name}: what a disk that stays full has lost comes from the checkpoint when the run goes on`, async (t) => {
    const root = smallDisk(t, 2 ** 18);
    if (root === undefined) return;
    const run = begin(tracker, root);
    const filler = fullDisk(t, run, root);
    for (const number of all.slice(1, 40)) run.tell(...epoch(number));
    await run.close();
    assert.equal(run.warnings.length, 1);
    rmSync(filler);
    const resumedRun = begin(tracker, root);
    resumedRun.tell(resumed(history(40)));
    for (const number of all.slice(40)) resumedRun.tell(...epoch(number));
    await resumedRun.close();
    assert.deepEqual([tracker.epochsOf(root), resumedRun.warnings], [all, []]);
  });
}
