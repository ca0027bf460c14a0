// When the job's script started: a scheduler makes it the leader of a session (setsid), of which this process is part.

import { readFileSync } from 'node:fs';
import { statusFields } from '../process-identity.mjs';

/** Milliseconds since this process's session was opened; since the start of the process where that can't be seen. */
export function sessionAgeMs(): number {
  const ownAgeMs = performance.now();
  try {
    const session = statusFields('self')[3];
    const startTicks = Number(statusFields(session ?? '')[19]);
    const upSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    // Linux counts these ticks in hundredths of a second, whatever the machine.
    const ageMs = (upSeconds - startTicks / 100) * 1000;
    return Math.max(ownAgeMs, ageMs || 0);
  } catch {
    // Its leader has ended, or belongs to a container that can't be seen.
    return ownAgeMs;
  }
}
