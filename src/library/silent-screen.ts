import { Writable } from 'node:stream';

/** A screen on which nothing shows: a library prints only where it is told to. */
export function silentScreen(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
