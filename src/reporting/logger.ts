// The log of a run. A training step blocks the event loop for seconds, so a line is written when it is said: a run that
// is killed keeps all that it has logged.
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import winston from 'winston';
import type { Reporter } from './events.js';
import { createLineFile, type LineFile } from './line-file.js';
import { type Level, messagesFor } from './messages.js';
import { logTime } from './run-files.js';

export interface LoggerSettings {
  path: string;
  now: () => Date;
  /** Hears, once, that lines could not be written; what there is room for is written later. */
  onFailure: (error: unknown) => void;
}

const levels: Record<Level, number> = { ERROR: 0, WARNING: 1, INFO: 2 };

/** Logs to a file, after what it holds, in lines like `2026-11-24 12:00:00,123 [INFO]: message`. */
export function createLogger({ path, now, onFailure }: LoggerSettings): Reporter {
  const missing = (lines: number) => `${logTime(now())} [WARNING]: ${lines} lines are missing here`;
  const lines = createLineFile({ path, onFailure, missing });
  const file = new winston.transports.Stream({ stream: lineStream(lines), eol: '' });
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
      lines.close();
    },
  };
}

/** A stream that writes at once; winston's own file transport writes in the background and swallows errors. */
function lineStream(lines: LineFile): Writable {
  return new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      lines.write(line);
      done();
    },
  });
}
