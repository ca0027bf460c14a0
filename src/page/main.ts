// The page: images in, cards out. What computes is in the worker.

import { setUpCamera } from './camera-button.js';
import { createCard, createPicture, drawPicture } from './card.js';
import { startClassifier } from './classifier.js';
import { byId, element } from './elements.js';
import { takeFiles } from './intake.js';
import { type BackendName, backendNames, largest, type Opened, type Result } from './messages.js';
import { createShelf, type Entry } from './shelf.js';
import { backendTitles, classesInWords, imagesInWords, megabytes, type Outcome, percent } from './text.js';

const page = {
  title: byId('title', HTMLElement),
  about: byId('about', HTMLElement),
  drop: byId('drop', HTMLElement),
  files: byId('files', HTMLInputElement),
  camera: byId('camera', HTMLButtonElement),
  clear: byId('clear', HTMLButtonElement),
  heatMapTool: byId('heat-map-tool', HTMLElement),
  heatMap: byId('heat-map', HTMLInputElement),
  backend: byId('backend', HTMLSelectElement),
  status: byId('status', HTMLElement),
  progress: byId('progress', HTMLProgressElement),
  loaded: byId('loaded', HTMLElement),
  problem: byId('problem', HTMLElement),
  cards: byId('cards', HTMLElement),
};
byId('not-started', HTMLElement).remove();

/** Side of an image on the screen, in pixels: enough for a card on a dense one. */
const pictureSide = 480;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
const say = (text: string) => {
  page.status.textContent = text;
};
const tellProblem = (text: string) => {
  page.problem.textContent = text;
};

const classifier = startClassifier((arrived, all) => {
  page.progress.value = arrived / all;
  page.loaded.textContent = `${megabytes(arrived)} of ${megabytes(all)}`;
});
let isLoading = false;
let opened: Promise<Opened | undefined> = Promise.resolve(undefined);
opened = open();

const shelf = createShelf(page, () => {
  stopCamera();
  page.files.focus();
});
const stopCamera = setUpCamera({
  ...{ button: page.camera, shelf, classifier, say, tellProblem },
  opened: () => opened,
});
takeFiles({ input: page.files, target: page.drop }, (files) => void takeImages(files));
page.backend.addEventListener('change', () => {
  opened = open(backendNames.find((name) => name === page.backend.value));
  // The newest image shows how the backends compare.
  void opened.then((found) => found && shelf.newest()?.again?.());
});

/** Opens the network, which may fail: then the page says why, and goes on as before, or takes no images. */
async function open(backend?: BackendName): Promise<Opened | undefined> {
  const before = await opened;
  isLoading = true;
  say('Loading the network …');
  tellProblem('');
  page.progress.value = 0;
  page.progress.classList.remove('done');
  page.backend.disabled = true;
  try {
    const found = await classifier.open(backend);
    showOpened(found);
    return found;
  } catch (error) {
    tellProblem(messageOf(error));
    if (before) showOpened(before);
    else takeNothing();
    return before;
  } finally {
    isLoading = false;
    page.progress.classList.add('done');
    page.loaded.textContent = '';
    page.backend.disabled = page.backend.options.length < 2;
  }
}

/** Without a network. */
function takeNothing(): void {
  say('');
  page.files.disabled = true;
  page.camera.disabled = true;
}

function showOpened({ network, backend, available }: Opened): void {
  document.title = `${network.model}: image classifier`;
  page.title.textContent = network.model;
  page.about.textContent = `Tells apart ${classesInWords(network.classes)}`;
  const options = available.map((name) =>
    element('option', { text: backendTitles[name], attributes: { value: name } }),
  );
  page.backend.replaceChildren(...options);
  page.backend.value = backend;
  page.heatMapTool.hidden = network.classMaps === undefined;
  say(`Ready, on ${backendTitles[backend]}.`);
}

async function takeImages(files: readonly File[]): Promise<void> {
  if (isLoading)
    say(`Loading the network … ${files.length === 1 ? 'The image waits' : `${files.length} images wait`} for it.`);
  const found = await opened;
  if (!found) return;
  const entries = files.map((file) => entryFor(file, found));
  shelf.add(...entries);
  if (files.length > 1) say(`Classifying ${files.length} images …`);
  const outcomes = await Promise.all(entries.map(({ again }) => again()));
  const [only] = outcomes;
  say(outcomes.length === 1 && only ? only.text : imagesInWords(outcomes));
}

interface ImageEntry extends Entry {
  again: () => Promise<Outcome>;
}

function entryFor(file: File, { network: { classes } }: Opened): ImageEntry {
  const { name } = file;
  const picture = createPicture(name);
  const card = createCard({ name, classes, picture, onChooseMap: shelf.showHeatMaps });
  const again = async (): Promise<Outcome> => {
    try {
      const result = await classifier.classify({ image: file, pictureSide });
      if (result.picture) drawPicture(picture, result.picture);
      card.showResult(result);
      return { text: `${name}: ${mostLikely(result, classes)}`, isGood: true };
    } catch (error) {
      card.showFailure(messageOf(error));
      return { text: `${name}: ${messageOf(error)}`, isGood: false };
    }
  };
  return { card, again };
}

function mostLikely({ probabilities }: Result, classes: readonly string[]): string {
  const [best = 0] = largest(probabilities, 1);
  return `${classes[best] ?? ''}, ${percent(probabilities[best] ?? 0)}`;
}
