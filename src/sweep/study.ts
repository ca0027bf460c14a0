// A sweep's trials, as they stand in Optuna's storage: the only record of them that there is.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../errors.js';
import { acquireLock } from '../file-lock.mjs';
import { cannotWrite } from '../reporting/run-files.js';
import { runCommand } from '../tensorflow/install-command.js';
import type { Optuna } from './install-optuna.js';
import type { Distribution, Value } from './parameters.js';

export type TrialState = 'RUNNING' | 'WAITING' | 'COMPLETE' | 'PRUNED' | 'FAIL';

/** A trial as the storage has it. */
export interface Trial {
  /** Counts from 0. */
  number: number;
  state: TrialState;
  params: Readonly<Record<string, Value>>;
  /** Of the metric; null where it is not told. */
  value: number | null;
  attributes: TrialAttributes;
  /** The metric by epoch, as reported for pruning. */
  reports: Readonly<Record<string, number>>;
  /** ISO 8601. */
  started: string | null;
  ended: string | null;
}

/** What we note of a trial beside what Optuna does. */
export interface TrialAttributes {
  /** How each attempt ended that failed. */
  failures?: readonly string[];
  /** The epoch after which it was found not to be worth going on with. */
  pruned_after?: number;
  /** The epoch with the lowest validation loss, from 1, and what was measured in it. */
  epoch?: number;
  val_loss?: number;
  'val_precision@1'?: number;
  'val_precision@5'?: number;
}

export interface StudyAttributes {
  /** The sweep's definition, as JSON, by which a sweep that goes on is compared with. */
  definition?: string;
  /** What was measured on the test images, each network once. */
  tests?: readonly TestResult[];
}

/** What the test images said of a trial's best network. Precisions are percentages. */
export interface TestResult {
  trial: number;
  loss: number;
  precisionAt1: number;
  precisionAt5: number;
  images: number;
}

export interface StudyState {
  attributes: StudyAttributes;
  /** By number. */
  trials: readonly Trial[];
}

/** A sampler or pruner of Optuna's, by its class and the arguments that make one. */
export interface OptunaObject {
  name: string;
  kwargs: Readonly<Record<string, unknown>>;
}

export type SearchSpace = Readonly<Record<string, Distribution>>;

type Step =
  | { optuna: readonly string[] }
  | { show: true }
  | { note: { trial: number | null; attributes: TrialAttributes | StudyAttributes } }
  | { complete: { trial: number; sampler: string; kwargs: OptunaObject['kwargs']; space: SearchSpace } }
  | { report: { trial: number; pruner: string; kwargs: OptunaObject['kwargs']; values: readonly [number, number][] } }
  | { importance: true };

export interface StudyPlace {
  optuna: Optuna;
  /** The sweep's folder, outputs/sweeps/<name>. */
  folder: string;
  name: string;
  /** Optuna's URL; a journal file in the folder unless told. */
  storage: string | undefined;
}

/** The study of a sweep. All of its methods may be called by many processes at once. */
export class Study {
  readonly #place: StudyPlace;

  constructor(place: StudyPlace) {
    this.#place = place;
    try {
      mkdirSync(place.folder, { recursive: true });
    } catch (error) {
      throw cannotWrite(place.folder, error);
    }
  }

  /**
   * Does `work` while no other process touches the storage. A process that dies in it is made good for by the next: what
   * it had started is ended, and what it had half written goes.
   */
  async alone<T>(work: (open: OpenStudy) => Promise<T>): Promise<T> {
    const release = await acquireLock(join(this.#place.folder, 'storage.lock'));
    try {
      return await work(new OpenStudy(this.#place));
    } finally {
      release();
    }
  }

  show(): Promise<StudyState> {
    return this.alone((open) => open.show());
  }

  note(trial: number | null, attributes: TrialAttributes | StudyAttributes): Promise<void> {
    return this.alone((open) => open.note(trial, attributes));
  }

  /** Ends a trial; one that has ended already stays as it is. */
  tell(trial: number, outcome: Outcome, attributes: TrialAttributes = {}): Promise<void> {
    return this.alone((open) => open.tell(trial, outcome, attributes));
  }

  /** Reports the metric after epochs, those before included, and returns whether the pruner would end the trial. */
  report(trial: number, { name, kwargs }: OptunaObject, values: readonly [number, number][]): Promise<boolean> {
    return this.alone(async (open) => {
      const [isPruned] = await open.run([{ report: { trial, pruner: name, kwargs, values } }]);
      return isPruned === true;
    });
  }

  /** The share of each parameter in what made trials differ; empty where there are too few. */
  importance(): Promise<Readonly<Record<string, number>>> {
    return this.alone(async (open) => (await open.run([{ importance: true }]))[0] as Record<string, number>);
  }
}

/** How a trial ends. */
export type Outcome = { state: 'complete'; value: number } | { state: 'pruned' } | { state: 'fail' };

/** The storage while it is this process's alone. */
export class OpenStudy {
  readonly #place: StudyPlace;

  constructor(place: StudyPlace) {
    this.#place = place;
  }

  /** Makes the study where it is not there. */
  async create(direction: 'minimize' | 'maximize'): Promise<StudyState> {
    const words = ['create-study', '--skip-if-exists', '--direction', direction];
    const [, state] = await this.run([{ optuna: words }, { show: true }]);
    return state as StudyState;
  }

  async show(): Promise<StudyState> {
    return (await this.run([{ show: true }]))[0] as StudyState;
  }

  async note(trial: number | null, attributes: TrialAttributes | StudyAttributes): Promise<void> {
    await this.run([{ note: { trial, attributes } }]);
  }

  /** Has a trial chosen, and returns it. */
  async ask(sampler: OptunaObject, space: SearchSpace): Promise<Trial> {
    const words = ['ask', '--sampler', sampler.name, '--sampler-kwargs', JSON.stringify(sampler.kwargs)];
    const ask = { optuna: [...words, '--search-space', JSON.stringify(space)] };
    const [answer, state] = await this.run([ask, { show: true }]);
    const { number } = JSON.parse(String(answer)) as { number: number };
    return trialOf(state as StudyState, number);
  }

  /** Has chosen what a trial lacks, whose asking was interrupted. */
  async complete(trial: number, { name: sampler, kwargs }: OptunaObject, space: SearchSpace): Promise<Trial> {
    const [, state] = await this.run([{ complete: { trial, sampler, kwargs, space } }, { show: true }]);
    return trialOf(state as StudyState, trial);
  }

  async tell(trial: number, outcome: Outcome, attributes: TrialAttributes): Promise<void> {
    const values = outcome.state === 'complete' ? ['--values', String(outcome.value)] : [];
    const words = ['tell', '--trial-number', String(trial), '--state', outcome.state, ...values, '--skip-if-finished'];
    await this.run([{ note: { trial, attributes } }, { optuna: words }]);
  }

  /** Does steps in one Python process, and returns their results. */
  async run(steps: readonly Step[]): Promise<readonly unknown[]> {
    const { optuna, folder, name: study, storage } = this.#place;
    const request = {
      storage: storage ?? join(folder, 'journal.log'),
      journal: storage === undefined,
      study,
      steps,
    };
    const env = { PYTHONPATH: optuna.folder, PYTHONDONTWRITEBYTECODE: '1' };
    // A Ctrl-C for the sweep must not end what is writing.
    const settings = { input: JSON.stringify(request), detached: true };
    const { status, stdout, stderr } = await runCommand(optuna.python, [program], env, settings);
    if (status === 0) return JSON.parse(stdout) as unknown[];
    throw new UserError(`Optuna could not use ${storage === undefined ? `'${request.storage}'` : 'the --storage'}`, {
      found: stderr.trim().split('\n').at(-1) || 'no message',
      mend: 'Nothing is lost: mend this and start the sweep again',
    });
  }
}

const program = fileURLToPath(new URL('../../src/sweep/study.py', import.meta.url));

function trialOf({ trials }: StudyState, number: number): Trial {
  const found = trials.find((trial) => trial.number === number);
  if (!found) throw new Error(`internal: Optuna has no trial ${number}`);
  return found;
}
