// An environment of its own for tests of downloads: a temporary cache, no token and no proxy but those of the test, and
// what is said on stderr caught.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, mock } from 'node:test';
import type { Patience } from '#src/weights/download-patience.js';
import type { HubServer } from './hub-server.js';

/** Limits in which a test has time to see them reached. */
export const impatience: Patience = {
  connectMs: 2_000,
  silenceMs: 300,
  retries: 3,
  backoffMs: 5,
  longestWaitMs: 2_000,
};

export interface Place {
  /** Empty before each test. */
  readonly home: string;
  readonly said: string[];
}

const names = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE'];
const others = [
  'HUGGINGFACE_HUB_CACHE',
  'HTTP_PROXY',
  'http_proxy',
  'HTTPS_PROXY',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
];

/** Makes the place, and sets the environment before each test. Call it once in a test file. */
export function makePlace(hub?: HubServer): Place {
  const root = mkdtempSync(join(tmpdir(), 'deep-cnn-weights-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const home = join(root, 'huggingface');
  const said: string[] = [];
  process.stderr.isTTY = false;
  mock.method(process.stderr, 'write', (text: string | Uint8Array) => said.push(String(text)) > 0);
  beforeEach(() => {
    rmSync(home, { recursive: true, force: true });
    said.length = 0;
    for (const name of [...names, ...others]) delete process.env[name];
    process.env['HF_HOME'] = home;
    process.env['DEEP_CNN_CACHE'] = join(root, 'cache');
    rmSync(join(root, 'cache'), { recursive: true, force: true });
    if (hub === undefined) return;
    process.env['HF_ENDPOINT'] = hub.endpoint;
    hub.requests.length = 0;
    hub.faults.length = 0;
    hub.leaveOut = [];
    hub.ignoresRanges = false;
  });
  return { home, said };
}
