// The worker as the page sees it: a network that opens, and then classifies.

import type { TellProgress } from './load-model.js';
import type { Answer, BackendName, ClassifyRequest, Opened, Request, Result } from './messages.js';

export interface Classifier {
  /** Opens the network on a backend, or on the fastest that works. Rejects with a sentence for the user. */
  open(backend?: BackendName): Promise<Opened>;
  /** Classifies an image when those before it are done. Rejects with a sentence for the user. */
  classify(request: Omit<ClassifyRequest, 'kind' | 'id'>): Promise<Result>;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

export function startClassifier(tellProgress: TellProgress): Classifier {
  const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
  const results = new Map<number, Waiting<Result>>();
  let opening: Waiting<Opened> | undefined;
  let ids = 0;

  const takeWaiting = (id: number) => {
    const waiting = results.get(id);
    results.delete(id);
    return waiting;
  };
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    if (data.kind === 'progress') tellProgress(data.arrived, data.all);
    else if (data.kind === 'opened') opening?.resolve(data);
    else if (data.kind === 'result') takeWaiting(data.id)?.resolve(data);
    else (data.id === undefined ? opening : takeWaiting(data.id))?.reject(new Error(data.message));
  };
  worker.onerror = ({ message }) => {
    const error = new Error(`The page's own program failed to start${message ? `: ${message}` : '.'}`);
    opening?.reject(error);
    for (const waiting of results.values()) waiting.reject(error);
    results.clear();
  };

  const send = (request: Request, transfer: Transferable[] = []) => worker.postMessage(request, transfer);
  return {
    open: (backend) =>
      new Promise((resolve, reject) => {
        opening = { resolve, reject };
        send({ kind: 'open', backend });
      }),
    classify: (request) =>
      new Promise((resolve, reject) => {
        ids += 1;
        results.set(ids, { resolve, reject });
        const { image } = request;
        send({ kind: 'classify', id: ids, ...request }, image instanceof ImageBitmap ? [image] : []);
      }),
  };
}
