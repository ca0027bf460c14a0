// The log of a run. A training step blocks the event loop for seconds, so a line is written when it is said: a run that
// is killed keeps all that it has logged.
import { appendFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import winston from 'winston';
import type { Reporter } from './events.js';
import { type Level, messagesFor } from './messages.js';
import { logTime } from './run-files.js';

export interface LoggerSettings {
  path: string;
  now: () => Date;
  /** Hears, once, that the log can no longer be written. */
  onFailure: (error: unknown) => void;
}

const levels: Record<Level, number> = { ERROR: 0, WARNING: 1, INFO: 2 };

/** Logs to a file, in lines like `2026-11-24 12:00:00,123 [INFO]: message`. */
export function createLogger({ path, now, onFailure }: LoggerSettings): Reporter {
  const file = new winston.transports.Stream({ stream: lineFile(path, onFailure), eol: '\n' });
  const logger = winston.createLogger({
    levels,
    level: 'INFO',
    format: winston.format.printf(({ level, message, time }) => `${time} [${level}]: ${message}`),
    transports: [file],
  });
  return {
    handle: (event) => {
      for (const { level, text } of messagesFor(event)) logger.log({ level, message: text, time: logTime(now()) });
    },
    close: async () => {
      const written = finished(file);
      logger.end();
      await written;
    },
  };
}

/** A stream that writes at once; winston's own file transport writes in the background and swallows errors. */
function lineFile(path: string, onFailure: (error: unknown) => void): Writable {
  let hasFailed = false;
  return new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      try {
        appendFileSync(path, line);
      } catch (error) {
        if (!hasFailed) onFailure(error);
        hasFailed = true;
      }
      done();
    },
  });
}
