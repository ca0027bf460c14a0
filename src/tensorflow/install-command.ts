// Runs the programs that set-up needs (python3, pip, a compiler, node).

import { spawn } from 'node:child_process';

export interface CommandResult {
  /** The exit code; null when a signal ended the program or it could not be started. */
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Whether there is no such program. */
  notFound: boolean;
}

export interface CommandSettings {
  /** What the program reads from its standard input; nothing unless told. */
  input?: string;
  /** Whether a terminal's Ctrl-C is kept from it. */
  detached?: boolean;
}

/** Runs a program to its end and collects what it prints; never throws because of how it ended. */
export function runCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  { input = '', detached = false }: CommandSettings = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe', detached });
    // A program that ends without reading is judged by how it ended.
    child.stdin.on('error', () => undefined).end(input);
    const result: CommandResult = { status: null, signal: null, stdout: '', stderr: '', notFound: false };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ ...result, stderr: error.message, notFound: error.code === 'ENOENT' || error.code === 'EACCES' });
    });
    child.on('close', (status, signal) => resolve({ ...result, status, signal }));
  });
}
