// The button that starts and stops the camera, and the card that shows what it sees.

import { type Camera, startCamera } from './camera.js';
import { createCard } from './card.js';
import type { Classifier } from './classifier.js';
import { element } from './elements.js';
import { largest, type Opened, type Result } from './messages.js';
import type { Entry, Shelf } from './shelf.js';

export interface CameraSurroundings {
  button: HTMLButtonElement;
  shelf: Shelf;
  classifier: Classifier;
  /** The network that is open, if one could be opened. */
  opened(): Promise<Opened | undefined>;
  /** Tells what happens, and what went wrong. */
  say(text: string): void;
  tellProblem(text: string): void;
}

/** At least so long between two announcements of what the camera sees. */
const announcementMs = 2000;

/** @returns what stops the camera. */
export function setUpCamera({ button, shelf, classifier, opened, say, tellProblem }: CameraSurroundings): () => void {
  let running: { camera: Camera; entry: Entry } | undefined;

  const show = (isOn: boolean) => {
    button.textContent = isOn ? 'Stop the camera' : 'Use the camera';
    button.setAttribute('aria-pressed', String(isOn));
  };
  const stop = () => {
    if (!running) return;
    running.camera.stop();
    shelf.remove(running.entry);
    running = undefined;
    show(false);
  };

  const start = async () => {
    const found = await opened();
    if (!found) return;
    tellProblem('');
    const video = createVideo(found);
    const { classes } = found.network;
    const card = createCard({ name: 'Camera', classes, picture: video });
    const entry = { card };
    shelf.add(entry);
    const announce = announcer(classes, say);
    try {
      const camera = await startCamera(video, classifier, {
        onResult(result) {
          card.showResult(result);
          announce(result);
        },
        onEnd(message) {
          stop();
          tellProblem(message);
        },
      });
      running = { camera, entry };
      show(true);
    } catch (error) {
      shelf.remove(entry);
      tellProblem(error instanceof Error ? error.message : String(error));
    }
  };

  const toggle = async () => {
    if (running) return stop();
    button.disabled = true;
    await start();
    button.disabled = false;
    button.focus();
  };
  button.addEventListener('click', () => void toggle());
  return stop;
}

/** Shows the part of the camera's picture that the network sees. */
function createVideo({ network }: Opened): HTMLVideoElement {
  const video = element('video', { attributes: { playsinline: '', 'aria-label': 'What the camera sees' } });
  video.muted = true;
  const { resize, crop } = network.preprocessing;
  video.style.setProperty('--zoom', String(resize / crop));
  return video;
}

/** Says the most likely class where it changes, and not all the time. */
function announcer(classes: readonly string[], say: (text: string) => void): (result: Result) => void {
  let last = { text: '', at: Number.NEGATIVE_INFINITY };
  return ({ probabilities }) => {
    const [best = 0] = largest(probabilities, 1);
    const text = `The camera sees: ${classes[best] ?? ''}`;
    if (text === last.text || performance.now() - last.at < announcementMs) return;
    last = { text, at: performance.now() };
    say(text);
  };
}
