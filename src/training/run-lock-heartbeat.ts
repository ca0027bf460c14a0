// The thread that renews a run's lock.
import { workerData } from 'node:worker_threads';
import { renewLock } from '../lock-file.mjs';

export interface Heartbeat {
  path: string;
  token: string;
  heartbeatMs: number;
}

const { path, token, heartbeatMs }: Heartbeat = workerData;
setInterval(() => renewLock(path, token), heartbeatMs);
