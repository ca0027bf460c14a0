// The two kinds of failure a user can meet: a mistake of theirs, told in one line, and a run that can be resumed.
// Everything else that is thrown is a bug and keeps its stack.

import { redact } from './secrets.js';

/** A text as one line, in which control characters are visible and do nothing to a terminal. */
export function oneLine(text: string): string {
  const line = text.replace(/\s*[\n\r\u0085\u2028\u2029]\s*/g, ' ');
  return line.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** What went wrong, in words, of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a user needs to mend a mistake. Each part is a phrase without a final full stop. */
export interface Explanation {
  expected?: string | undefined;
  found?: string | undefined;
  /** What to do, as an imperative sentence. */
  mend?: string | undefined;
}

/** A user's mistake: printed as one line without a stack or secrets, exit code 2. */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** The message in parts, for those who tell of several mistakes at once. */
  readonly parts: Explanation & { what: string };

  constructor(what: string, { expected, found, mend }: Explanation = {}, options?: ErrorOptions) {
    const comparison = [expected && `expected ${expected}`, found && `found ${found}`].filter(Boolean).join(', ');
    const message = [comparison ? `${what}: ${comparison}.` : `${what}.`, mend && `${mend}.`].filter(Boolean).join(' ');
    super(oneLine(redact(message)), options);
    this.parts = { what, ...(expected && { expected }), ...(found && { found }), ...(mend && { mend }) };
  }
}

/** Exit codes of the command line. */
export const exitCode = {
  ok: 0,
  bug: 1,
  userError: 2,
  /** The run stopped before its end, saved, and can be resumed (sysexits.h calls it EX_TEMPFAIL). */
  resumable: 75,
} as const;
