// The thread in which a run's page is made at its end: whatever happens here, the run is done.

import { workerData } from 'node:worker_threads';
import { writeReport } from './write-report.js';

await writeReport(workerData as string);
