/** The two voices of a command; tests put their own in. */
export interface Voices {
  /** What was asked for, as text with its line feeds: programs read it. */
  print: (text: string) => void;
  /** What else there is to say, a line at a time and without its line feed: people read it. */
  tell: (line: string) => void;
}

/** Standard output, and standard error. */
export const standardVoices: Voices = {
  print: (text) => process.stdout.write(text),
  tell: (line) => process.stderr.write(`${line}\n`),
};
