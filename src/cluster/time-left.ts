// How long the scheduler lets a job run on.

/** An amount of time as of the moment in which the scheduler was asked, or a reason to have none. */
export type TimeLeft =
  /** Less than 0 when the job should have ended already. */
  | { kind: 'limited'; leftMs: number }
  | { kind: 'unlimited' }
  /** `reason` is a phrase. */
  | { kind: 'unknown'; reason: string };

/**
 * Seconds in a scheduler's notation: `D-HH:MM:SS`, `D-HH:MM`, `D-HH`, `HH:MM:SS`, `MM:SS`, `SS`, each with a minus sign
 * where the time is over; undefined for anything else.
 */
export function parseClock(text: string): number | undefined {
  const match = /^(-)?(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text.trim());
  if (!match) return undefined;
  const [, minus, days, ...rest] = match;
  const [first = 0, second, third] = rest.filter((part) => part !== undefined).map(Number);
  let seconds: number;
  if (days !== undefined) seconds = Number(days) * 86_400 + first * 3600 + (second ?? 0) * 60 + (third ?? 0);
  else if (third !== undefined) seconds = first * 3600 + (second ?? 0) * 60 + third;
  else if (second !== undefined) seconds = first * 60 + second;
  else seconds = first;
  return minus ? -seconds : seconds;
}
