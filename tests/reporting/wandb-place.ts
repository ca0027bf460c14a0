// A W&B server and a folder of one test's own, so that tests can wait side by side.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runWandb } from '#src/commands/wandb.js';
import type { Reporter, TrainingEvent } from '#src/reporting/events.js';
import { createWandb } from '#src/reporting/wandb.js';
import { journalFile, readJournal } from '#src/reporting/wandb-journal.js';
import { epoch, finished, impatience, tested } from './wandb-run.js';
import { apiKey, type Fault, type SeenRequest, startWandbServer } from './wandb-server.js';

export interface Started {
  reporter: Reporter;
  tell: (...events: TrainingEvent[]) => void;
  warnings: string[];
  addresses: string[];
}

interface Start {
  env?: NodeJS.ProcessEnv;
  flushMs?: number;
  /** For one answer. */
  requestMs?: number;
  run_name?: string;
}

export async function makePlace(context: TestContext) {
  const server = await startWandbServer(context);
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-wandb-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = journalFile({ root_dir: folder, run_name: 'mine' });

  /** Begins a run that nothing has been told of but its options. */
  function start({ env = {}, flushMs = 300_000, requestMs = 300_000, run_name = 'mine' }: Start = {}): Started {
    const warnings: string[] = [];
    const addresses: string[] = [];
    const reporter = createWandb({
      config: { root_dir: folder, run_name },
      env: {
        WB_KEY: apiKey,
        WB_PROJECT: 'streets',
        WB_USER: 'me',
        WANDB_BASE_URL: server.baseUrl,
        HOME: folder,
        ...env,
      },
      onWarning: (message) => warnings.push(message),
      onAddress: (address) => addresses.push(address),
      patience: { ...impatience, requestMs },
      flushMs,
    });
    const tell = (...events: TrainingEvent[]) => {
      for (const event of events) reporter.handle(event);
    };
    const parameters = { model: 'resnet18', lr: 0.01, weights: undefined, wandb: true };
    tell({ kind: 'run', parameters });
    return { reporter, tell, warnings, addresses };
  }

  return {
    server,
    folder,
    path,
    start,
    /** A whole run of two epochs. */
    run: async (settings: Start = {}): Promise<Started> => {
      const started = start(settings);
      started.tell(...epoch(1), ...epoch(2), tested, finished);
      await started.reporter.close();
      return started;
    },
    /** A run on a compute node without a network; without `closed` it was killed. */
    record: async (events: readonly TrainingEvent[], { closed = true, run_name = 'mine' } = {}): Promise<void> => {
      const { reporter, tell, warnings } = start({ env: { WANDB_MODE: 'offline', WB_KEY: '', WB_USER: '' }, run_name });
      tell(...events);
      if (closed) await reporter.close();
      assert.deepEqual(warnings, []);
    },
    /** `deep-cnn wandb sync` on a login node. */
    sync: async (names = ['mine'], { requestMs = 300_000, env = {} }: Pick<Start, 'env' | 'requestMs'> = {}) => {
      let printed = '';
      const print = (text: string) => {
        printed += text;
      };
      const settings = {
        print,
        env: { WB_KEY: apiKey, WB_USER: 'me', WANDB_MODE: 'offline', HOME: folder, ...env },
        patience: { ...impatience, requestMs, attempts: 3 },
      };
      const code = await runWandb(['sync', ...names], { root_dir: folder }, settings);
      return { code, printed };
    },
    state: () => readJournal(path),
    stored: () => server.runs.get('me/streets/mine'),
    stepsOf: (run = 'me/streets/mine') => server.runs.get(run)?.history.map((row) => row['_step']),
    /** The first `count` requests of a kind meet with `fault`, or all. */
    fail: (kind: SeenRequest['kind'] | 'any', fault: Fault, count = Number.POSITIVE_INFINITY): void => {
      let left = count;
      server.behave = (asked) => {
        if ((kind !== 'any' && asked !== kind) || left === 0) return undefined;
        left -= 1;
        return fault;
      };
    },
  };
}

export type Place = Awaited<ReturnType<typeof makePlace>>;
