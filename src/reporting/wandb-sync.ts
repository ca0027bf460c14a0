// Sends to Weights & Biases what a run has recorded and the server does not have: that of an offline run, or of one that
// could not reach it.
import { exitCode as exitCodes, messageOf, UserError } from '../errors.js';
import { type JournalState, openJournal, readJournal } from './wandb-journal.js';
import { syncPatience, type WandbPatience } from './wandb-server.js';
import { checkWandb, defaultProject } from './wandb-settings.js';
import { createUploader } from './wandb-uploader.js';

export type SyncOutcome =
  /** The server has everything, and had it before. */
  | { kind: 'nothing-left' }
  | { kind: 'sent'; rows: number; address: string }
  /** Try again later; what was sent until then need not be sent again. */
  | { kind: 'outage'; reason: string; sentRows: number; rows: number };

export interface SyncSettings {
  /** The run's journal. */
  path: string;
  env?: NodeJS.ProcessEnv;
  patience?: WandbPatience;
  /** Hears of failures that do not end the attempt. */
  onTrouble: (message: string) => void;
}

/**
 * Whose run it is and in which project, the journal says, and the environment where it does not; the key and a
 * WANDB_BASE_URL are the environment's. A run that goes on meanwhile is not harmed.
 * @throws UserError when there is no key, the server refuses it, or the journal has no run.
 */
export async function syncWandb({ path, env = process.env, patience, onTrouble }: SyncSettings): Promise<SyncOutcome> {
  const { run, ...before } = readJournal(path);
  if (run === undefined)
    throw new UserError(`'${path}' holds no run for W&B`, { mend: 'Remove it: nothing of it can be sent' });
  if (isComplete(before)) return { kind: 'nothing-left' };

  const baseUrl = env['WANDB_BASE_URL']?.trim() || run.baseUrl;
  // Where a run is sent from may be a place whose jobs record offline.
  const wandb = checkWandb({ ...env, WANDB_MODE: 'online', WANDB_BASE_URL: baseUrl });
  const { project = wandb.project, entity = wandb.entity } = run;
  // Without it, the next time sends the same again, which changes nothing.
  const journal = openJournal(path, (error) => {
    onTrouble(`cannot write to ${path} (${messageOf(error)})`);
  });
  let address = '';
  let reason = 'no answer';
  let isRefused = false;
  const uploader = createUploader({
    key: wandb.key ?? '',
    project: defaultProject,
    state: () => ({ ...journal.state, run: { ...run, baseUrl: wandb.baseUrl, project, entity } }),
    patience: patience ?? syncPatience,
    env,
    onConnected: (connected) => {
      address = connected;
    },
    onSent: (rows) => journal.write({ kind: 'sent', rows }),
    onTrouble: (message) => onTrouble(`${message}; trying again`),
    onGaveUp: (message, { isOutage }) => {
      reason = message;
      isRefused = !isOutage;
    },
  });
  const { exitCode } = before;
  const end = { exitCode, isPreempted: exitCode === exitCodes.resumable, limitMs: Number.POSITIVE_INFINITY };
  const isFinished = await uploader.finish(end);
  if (isFinished && exitCode !== undefined) journal.write({ kind: 'closed' }, { flush: true });
  journal.close();
  if (isRefused) {
    throw new UserError(`W&B at ${wandb.baseUrl} refuses the run: ${reason}`, {
      mend: 'Check WB_KEY, WB_USER and WB_PROJECT',
    });
  }
  const { sentRows, rows } = journal.state;
  if (!isFinished) return { kind: 'outage', reason, sentRows, rows: rows.length };
  return { kind: 'sent', rows: rows.length - before.sentRows, address };
}

/** Whether there is nothing that the server has not confirmed. */
function isComplete({ isClosed, exitCode, sentRows, rows, summary }: Omit<JournalState, 'run'>): boolean {
  if (isClosed) return true;
  return exitCode === undefined && sentRows === rows.length && Object.keys(summary).length === 0;
}
