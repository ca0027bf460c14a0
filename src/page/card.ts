// One image with what the network makes of it. A card has its full size from the start, so that nothing jumps.

import { element } from './elements.js';
import { drawHeatMap } from './heat-map.js';
import type { Result } from './messages.js';
import { allClasses, createRanking } from './ranking.js';
import { backendTitles, milliseconds } from './text.js';

export interface Card {
  root: HTMLElement;
  showResult(result: Result): void;
  showFailure(message: string): void;
  /** Lays the map of the most likely class over the picture, or takes it away. */
  showHeatMap(isOn: boolean): void;
}

export interface CardOptions {
  /** Of the image, for its heading. */
  name: string;
  classes: readonly string[];
  /** Shows the image. */
  picture: HTMLElement;
  /** Told when a class is chosen for its map; without it none can be chosen, and the most likely class has its map. */
  onChooseMap?: () => void;
}

export function createCard({ name, classes, picture, onChooseMap }: CardOptions): Card {
  const overlay = element('canvas', { class: 'overlay', attributes: { 'aria-hidden': 'true' } });
  const shown = element('div', { class: 'picture', children: [picture, overlay] });
  const ranking = createRanking(classes);
  const failure = element('p', { class: 'failure' });
  const note = element('p', { class: 'note' });
  const about = element('p', { class: 'about', text: 'Waiting …' });
  const root = element('article', {
    class: 'card',
    attributes: { 'aria-label': name },
    children: [shown, element('h2', { text: name, attributes: { title: name } }), ranking.root, failure, note, about],
  });
  let maps: Result['maps'] = [];
  let probabilities: ArrayLike<number> = [];
  let isMapShown = false;
  let chosen: number | undefined;
  const all = allClasses(classes, () => probabilities);
  if (classes.length > ranking.root.childElementCount) root.append(all);
  const show = ({ isGood }: { isGood: boolean }) => {
    shown.hidden = !isGood;
    ranking.root.hidden = !isGood;
    all.hidden = !isGood;
    failure.hidden = isGood;
    root.removeAttribute('aria-busy');
  };

  const update = () => {
    const map = maps.find(({ category }) => category === chosen);
    overlay.hidden = !isMapShown || !map;
    ranking.mark(overlay.hidden ? undefined : chosen);
    if (map && !overlay.hidden) drawHeatMap(overlay, map);
  };

  show({ isGood: true });
  root.setAttribute('aria-busy', 'true');
  update();
  return {
    root,
    showResult(result) {
      ({ maps, probabilities } = result);
      chosen = maps[0]?.category;
      const choose =
        onChooseMap &&
        ((category: number) => {
          chosen = category;
          onChooseMap();
          update();
        });
      ranking.show(probabilities, maps.length > 0 ? choose : undefined);
      note.textContent = result.note ?? '';
      about.textContent = `${milliseconds(result.milliseconds)} on ${backendTitles[result.backend]}`;
      show({ isGood: true });
      update();
    },
    showFailure(message) {
      maps = [];
      failure.textContent = message;
      note.textContent = '';
      about.textContent = '';
      show({ isGood: false });
      update();
    },
    showHeatMap(isOn) {
      isMapShown = isOn;
      update();
    },
  };
}

/** A canvas for a picture that comes with a result. */
export function createPicture(name: string): HTMLCanvasElement {
  return element('canvas', { attributes: { role: 'img', 'aria-label': name } });
}

export function drawPicture(canvas: HTMLCanvasElement, bitmap: ImageBitmap): void {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap);
}
