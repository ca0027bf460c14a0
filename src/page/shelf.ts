// All cards on the page: the newest first, with one switch for their heat maps.

import type { Card } from './card.js';

export interface Entry {
  card: Card;
  /** Classifies its image once more. */
  again?: () => Promise<unknown>;
}

export interface ShelfElements {
  cards: HTMLElement;
  heatMap: HTMLInputElement;
  clear: HTMLButtonElement;
}

export interface Shelf {
  /** Puts cards before all others, in their order. */
  add(...added: readonly Entry[]): void;
  remove(entry: Entry): void;
  /** Every card shows its heat map, if it has one. */
  showHeatMaps(): void;
  /** The last image that can be classified again. */
  newest(): Entry | undefined;
}

/** Older cards make room, so that thousands of images do not fill the memory. */
const mostCards = 500;

export function createShelf({ cards, heatMap, clear }: ShelfElements, onClear: () => void): Shelf {
  let entries: readonly Entry[] = [];
  const keep = (kept: readonly Entry[]) => {
    for (const entry of entries) if (!kept.includes(entry)) entry.card.root.remove();
    entries = kept;
    clear.disabled = entries.length === 0;
  };
  const update = () => {
    for (const { card } of entries) card.showHeatMap(heatMap.checked);
  };
  heatMap.addEventListener('change', update);
  clear.addEventListener('click', () => {
    onClear();
    keep([]);
  });
  return {
    add(...added) {
      cards.prepend(...added.map(({ card }) => card.root));
      keep([...added, ...entries].slice(0, mostCards));
      update();
    },
    remove: (entry) => keep(entries.filter((other) => other !== entry)),
    showHeatMaps() {
      heatMap.checked = true;
      update();
    },
    newest: () => entries.find(({ again }) => again),
  };
}
