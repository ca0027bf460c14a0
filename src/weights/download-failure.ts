// Why a file of weights could not be fetched. A run may have other sources, so a failure keeps its reason and its remedy
// apart until someone tells the user.

import { isDiskFull, isSystemError } from '../system-error.js';

export interface FailureOptions {
  /** What the user can do, as an imperative sentence without its full stop. */
  mend?: string;
  cause?: unknown;
  /** The source works, but has no such file. */
  isAbsence?: boolean;
}

/** One source can't give a file. The message is a phrase, such as `no such file (404)`. */
export class SourceFailure extends Error {
  override readonly name: string = 'SourceFailure';
  readonly mend: string | undefined;
  readonly isAbsence: boolean;

  constructor(reason: string, { mend, cause, isAbsence = false }: FailureOptions = {}) {
    super(reason, cause === undefined ? undefined : { cause });
    this.mend = mend;
    this.isAbsence = isAbsence;
  }
}

/** A failure that may be gone a moment later. */
export class TransientFailure extends SourceFailure {
  override readonly name: string = 'TransientFailure';
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;
  /** Nothing has answered at all, as on a machine without internet: waiting for long helps nobody. */
  readonly isUnreachable: boolean;

  constructor(
    reason: string,
    options: FailureOptions & { retryAfterMs?: number | undefined; isUnreachable?: boolean } = {},
  ) {
    super(reason, options);
    this.retryAfterMs = options.retryAfterMs;
    this.isUnreachable = options.isUnreachable ?? false;
  }
}

const unreachableCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const silentCodes: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const cutCodes: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

/** Names what went wrong with a connection to `host`. A failure that has been named is handed back. */
export function networkFailure(error: unknown, host: string): SourceFailure {
  if (error instanceof SourceFailure) return error;
  const { code, message } = innermost(error);
  if (unreachableCodes.has(code)) {
    return new TransientFailure(`no connection to ${host} (${code})`, { cause: error, isUnreachable: true });
  }
  if (silentCodes.has(code)) return new TransientFailure(`${host} has fallen silent`, { cause: error });
  if (cutCodes.has(code) || code.startsWith('HPE_')) {
    return new TransientFailure(`the connection to ${host} was cut`, { cause: error });
  }
  if (/CERT|SIGNATURE|SIGNED|ISSUER/.test(code)) {
    return new SourceFailure(`${host} shows a certificate that is not trusted (${code})`, {
      mend: "Name a file with your site's certificates in NODE_EXTRA_CA_CERTS",
      cause: error,
    });
  }
  return new SourceFailure(`no answer from ${host} (${message || code})`, { cause: error });
}

/** The end of a chain of causes; the code is '' where there is none. */
function innermost(error: unknown): { code: string; message: string } {
  let found = { code: '', message: String(error) };
  for (let at = error; at instanceof Error; at = at.cause) {
    found = { code: 'code' in at && typeof at.code === 'string' ? at.code : found.code, message: at.message };
  }
  return found;
}

/** Names what went wrong with a folder of downloads; `variable` is where the user chooses it. */
export function folderFailure(error: unknown, folder: string, variable: string): unknown {
  if (!isSystemError(error) || error instanceof SourceFailure) return error;
  const full = isDiskFull(error);
  const reason = full ? `the disk or quota of ${folder} is full` : `${folder} can't be written to (${error.code})`;
  return new SourceFailure(reason, {
    mend: `${full ? 'Make room, or set' : 'Set'} ${variable} to a folder ${full ? 'on a larger disk' : 'of yours'}`,
    cause: error,
  });
}
