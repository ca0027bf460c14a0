// What the uploading thread and the one that trains say to each other.
import type { WandbNumber, WandbRow, WandbRun } from './wandb-journal.js';
import type { WandbPatience } from './wandb-server.js';

/** What the thread is born with. */
export interface UploadTask {
  key: string;
  run: WandbRun;
  project: string;
  patience: WandbPatience;
  /** All epochs so far. */
  rows: readonly WandbRow[];
  /** How many of them the server is believed to have. */
  sentRows: number;
  summary: Readonly<Record<string, WandbNumber>>;
}

export type UploadRequest =
  | { kind: 'row'; row: WandbRow }
  | { kind: 'summary'; values: Readonly<Record<string, WandbNumber>> }
  /** Sends all there is; with an exit code the run is over, and `isPreempted` when it is to go on later. */
  | { kind: 'finish'; exitCode: number | undefined; isPreempted: boolean };

export type UploadReply =
  | { kind: 'connected'; address: string }
  /** The server has so many rows. */
  | { kind: 'sent'; rows: number }
  /** A request failed, the `count`th time in a row, and is tried again. */
  | { kind: 'trouble'; message: string; count: number }
  /** There is no use in going on: `isOutage` when it may work another time. */
  | { kind: 'gave-up'; message: string; isOutage: boolean }
  /** All that `finish` asked for is done. */
  | { kind: 'finished' };
