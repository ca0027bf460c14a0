// The worker: everything that computes, so that the page never hangs.

import { findBackends, loadTensorFlow, type TensorFlow, useBackend } from './backend.js';
import { loadModel } from './load-model.js';
import type { Answer, BackendName, ClassifyRequest, Request } from './messages.js';
import { type Network, openNetwork } from './network.js';
import { readImage, UnreadableImage } from './read-image.js';
import { backendTitles } from './text.js';

/** The part of a dedicated worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Answer, transfer?: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
const modelUrl = new URL('../model.json', import.meta.url).href;

let tensorFlow: Promise<TensorFlow> | undefined;
let open: { network: Network; backend: BackendName } | undefined;

// One after the other: a request waits until those before it are done.
let last = Promise.resolve();
scope.onmessage = ({ data }) => {
  last = last.then(() => (data.kind === 'open' ? answerOpen(data.backend) : answerClassify(data)));
};

async function answerOpen(wanted: BackendName | undefined): Promise<void> {
  try {
    tensorFlow ??= loadTensorFlow();
    const tf = await tensorFlow;
    const { available, preferred } = await findBackends();
    const before = open;
    open = await openOnFirst(tf, wanted ? [wanted] : preferred);
    before?.network.dispose();
    scope.postMessage({ kind: 'opened', network: open.network.description, backend: open.backend, available });
  } catch (error) {
    const where = wanted ? `on ${backendTitles[wanted]}` : 'here';
    scope.postMessage({ kind: 'failure', id: undefined, message: `The network can't be run ${where}: ${said(error)}` });
    // It goes on as before, if it did.
    if (open) await (await tensorFlow)?.setBackend(open.backend);
  }
}

/** On the first backend that runs it. */
async function openOnFirst(tf: TensorFlow, backends: readonly BackendName[]) {
  let failure: unknown = new Error('this browser has neither WebGPU nor WebGL nor WebAssembly.');
  for (const backend of backends) {
    try {
      await useBackend(tf, backend);
      const model = await loadModel(tf, modelUrl, (arrived, all) => {
        scope.postMessage({ kind: 'progress', arrived, all });
      });
      return { network: await openNetwork(tf, model), backend };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function answerClassify({ id, image, pictureSide }: ClassifyRequest): Promise<void> {
  try {
    if (!open) throw new Error('the network is not open.');
    const { network, backend } = open;
    const { square, picture, note } = await readImage(image, network.description.preprocessing, pictureSide);
    const { probabilities, milliseconds, maps } = await network.classify(square);
    const buffers = [probabilities.buffer as ArrayBuffer, ...maps.map(({ values }) => values.buffer as ArrayBuffer)];
    scope.postMessage(
      { kind: 'result', id, probabilities, milliseconds, backend, picture, note, maps },
      picture ? [...buffers, picture] : buffers,
    );
  } catch (error) {
    const message = error instanceof UnreadableImage ? error.message : `It can't be classified: ${said(error)}`;
    scope.postMessage({ kind: 'failure', id, message });
  }
}

const said = (error: unknown) => (error instanceof Error ? error.message : String(error));
