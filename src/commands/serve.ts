// `deep-cnn serve`: a trained network as a page in the browser and as an HTTP service.

import { once } from 'node:events';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { computeOptions, networkOptions } from '../options/network-options.js';
import { integer, integersFrom, text, type ValuesOf } from '../options/spec.js';
import type { ServerAddress } from '../serve/server.js';
import { isSystemError } from '../system-error.js';

const server = 'Server';

const options = {
  ...networkOptions,
  port: integer({
    group: server,
    help: 'Port to listen on; 0 takes one that is free',
    default: 8080,
    ...integersFrom(0, 65_535),
  }),
  host: text({
    group: server,
    type: 'address',
    help: 'Address to listen on. 0.0.0.0 lets in whoever can reach this machine: there is no password',
    default: '127.0.0.1',
  }),
  ...computeOptions,
  // Enough to keep a processor busy, in little memory.
  batch_size: { ...computeOptions.batch_size, default: () => 8, defaultText: '8' },
};

type Values = ValuesOf<typeof options>;

export const serveCommand: Command<typeof options> = {
  name: 'serve',
  summary: 'Open a trained network in the browser, and answer over HTTP what images show',
  options,
  run: (values) => runServe(values),
};

/** Serves until SIGINT or SIGTERM. Throws a `UserError` for a mistake in the options, and where it can't listen. */
async function runServe(values: Values): Promise<number> {
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const [{ openNetwork }, { startClassifier }, { exportTfjs }, { pageFiles }] = await Promise.all([
    import('../inference/open-network.js'),
    import('../inference/start-classifier.js'),
    import('../export/tfjs.js'),
    import('../export/page-files.js'),
  ]);
  const [{ createFileClassifier }, { createSite }, { startServer }] = await Promise.all([
    import('../serve/file-classifier.js'),
    import('../serve/site.js'),
    import('../serve/server.js'),
  ]);
  const network = await openNetwork(values);
  // Most requests bring one image.
  const { classifier: ofBatches, device, precision } = await startClassifier(network, values);
  const { model, name, classes, preprocessing } = network;
  const site = createSite(new Map([...exportTfjs(network), ...(await pageFiles())]));
  const classifier = createFileClassifier(ofBatches, preprocessing, values.batch_size);
  const about = { name, model, classes: classes.length, device, precision };
  const parts = { classifier, classes, site, about, onBug: (error: unknown) => console.error(error) };
  const running = await startServer(parts, values).catch((error: unknown) => {
    throw isSystemError(error) ? cannotListen(values, error) : error;
  });
  process.stdout.write(`${name} is at ${running.url}, and takes images at ${running.url}/predict. Ctrl-C stops it.\n`);
  await stopped;
  await running.stop();
  ofBatches.close();
  return exitCode.ok;
}

function cannotListen({ host, port }: ServerAddress, error: Error): UserError {
  return new UserError(
    `Can't listen on ${host}, port ${port}`,
    { found: error.message, mend: 'Choose another --port or --host' },
    { cause: error },
  );
}
