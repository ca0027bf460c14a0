// The camera: one picture after the other, each when the one before it has been classified.

import type { Classifier } from './classifier.js';
import type { Result } from './messages.js';

export interface Camera {
  stop(): void;
}

/**
 * Shows the camera in `video` and classifies what it sees until it is stopped, or `onEnd` is told why it ended.
 * Rejects with a sentence for the user where there is no camera, or it may not be used.
 */
export async function startCamera(
  video: HTMLVideoElement,
  classifier: Classifier,
  { onResult, onEnd }: { onResult(result: Result): void; onEnd(message: string): void },
): Promise<Camera> {
  const stream = await openStream();
  let isStopped = false;
  const stop = () => {
    isStopped = true;
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  const end = (message: string) => {
    if (isStopped) return;
    stop();
    onEnd(message);
  };
  for (const track of stream.getTracks()) track.addEventListener('ended', () => end('The camera was taken away.'));
  video.srcObject = stream;
  await video.play();

  const classify = async () => {
    while (!isStopped) {
      await nextPicture(video);
      if (isStopped) return;
      const result = await classifier.classify({ image: await createImageBitmap(video) });
      if (!isStopped) onResult(result);
    }
  };
  classify().catch((error: unknown) => end(error instanceof Error ? error.message : String(error)));
  return { stop };
}

async function openStream(): Promise<MediaStream> {
  if (!navigator.mediaDevices) {
    throw new Error('Browsers lend the camera only to pages from HTTPS or localhost.');
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    throw new Error(refusals[name] ?? `The camera can't be used (${name || error}).`, { cause: error });
  }
}

const refusals: Readonly<Record<string, string>> = {
  NotAllowedError: 'The camera was not allowed. Allow it in the browser and try again.',
  NotFoundError: 'There is no camera.',
  NotReadableError: 'Another program uses the camera.',
};

/** Resolves when there is another picture, which there is not while the page is hidden or the camera stopped. */
function nextPicture(video: HTMLVideoElement): Promise<unknown> {
  return new Promise((resolve) => video.requestVideoFrameCallback(resolve));
}
