// The page of results at the end of a run. It is made in a thread of its own and within a time limit: no failure here ends
// a run, and plots are not loaded before.

import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { LabelledImage } from '../data/image-list.js';
import { messageOf } from '../errors.js';
import type { Report, TrainingEvent } from '../reporting/events.js';
import { descriptionFile, reportFile } from '../reporting/run-description.js';
import type { RunFiles } from '../reporting/run-files.js';
import { silenceTensorflow } from '../tensorflow/jpeg-decoder.js';
import { TestRecord, writeTestDetail } from './test-detail.js';

/** Gathers what the page needs beside the run's description. */
export class RunReport {
  readonly #files: RunFiles;
  readonly #report: Report;
  #test: TestRecord | undefined;
  #isTested = false;
  #trouble: unknown;

  /** `report` hears where the page is, or why there is none. */
  constructor(files: RunFiles, report: Report) {
    this.#files = files;
    this.#report = report;
  }

  note(event: TrainingEvent): void {
    if (event.kind === 'dataset') this.#test = new TestRecord(event.classes);
    else if (event.kind === 'tested') this.#isTested = true;
  }

  /** Adds a batch of the test: scores are [N, classes], row-major. */
  addTested(images: readonly LabelledImage[], scores: Float32Array): void {
    if (this.#trouble !== undefined) return;
    try {
      this.#test?.addScores(images, scores);
    } catch (error) {
      this.#trouble = error;
    }
  }

  /** Writes the page once the run has told its end; in at most `limitMs`. Never rejects. */
  async write(limitMs: number): Promise<void> {
    const description = descriptionFile(this.#files);
    // A run that has not come to its data, or could not write, is described nowhere.
    if (!existsSync(description)) return;
    try {
      if (this.#trouble !== undefined) throw this.#trouble;
      // Of a test that was cut short, nothing is told.
      const detail = this.#isTested ? this.#test?.detail : undefined;
      if (detail) writeTestDetail(this.#files, detail);
      if (await inThread(description, limitMs)) {
        this.#report({ kind: 'saved', what: 'report', path: reportFile(this.#files) });
      } else {
        const message = `There was no time to write the page of results: \`deep-cnn report ${description}\` does`;
        this.#report({ kind: 'note', message });
      }
    } catch (error) {
      const message = `The page of results could not be written (${messageOf(error)})`;
      this.#report({ kind: 'warning', message });
    }
  }
}

/** Whether the page was written in time. */
async function inThread(description: string, limitMs: number): Promise<boolean> {
  if (limitMs <= 0) return false;
  // What the thread decodes images with is part of it, and a thread can't silence it any more.
  silenceTensorflow();
  const worker = new Worker(new URL('./report-worker.js', import.meta.url), { workerData: description, execArgv: [] });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      timer = setTimeout(resolve, limitMs, false);
      worker.once('error', reject);
      worker.once('exit', () => resolve(true));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
