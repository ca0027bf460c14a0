// The most likely classes of one image: names, percentages and bars, always in as many rows.

import { element } from './elements.js';
import { largest, shownClasses } from './messages.js';
import { percent } from './text.js';

export interface Ranking {
  root: HTMLElement;
  /** `onChoose` makes buttons of the rows, and is told which class was chosen. */
  show(probabilities: ArrayLike<number>, onChoose?: (category: number) => void): void;
  /** Marks the row of a class, or none. */
  mark(category: number | undefined): void;
}

export function createRanking(classes: readonly string[]): Ranking {
  const root = element('ol', { class: 'ranking' });
  let shown: { category: number; row: HTMLElement }[] = [];
  const count = Math.min(shownClasses, classes.length);
  root.append(...Array.from({ length: count }, () => element('li', { children: [placeholderRow()] })));
  return {
    root,
    show(probabilities, onChoose) {
      shown = largest(probabilities, count).map((category) => {
        const share = probabilities[category] ?? 0;
        const row = rowOf(onChoose ? 'button' : 'div', classes[category] ?? '', share);
        if (onChoose) row.addEventListener('click', () => onChoose(category));
        return { category, row };
      });
      root.replaceChildren(...shown.map(({ row }) => element('li', { children: [row] })));
    },
    mark(marked) {
      for (const { category, row } of shown) {
        if (row instanceof HTMLButtonElement) row.setAttribute('aria-pressed', String(category === marked));
      }
    },
  };
}

/** All classes, the most likely first, behind a line that opens them; as they are when it is opened. */
export function allClasses(classes: readonly string[], latest: () => ArrayLike<number>): HTMLElement {
  const list = element('ol', { class: 'all', attributes: { tabindex: '0' } });
  const summary = element('summary', { text: `All ${classes.length.toLocaleString('en-GB')} classes` });
  const details = element('details', { children: [summary, list] });
  details.addEventListener('toggle', () => {
    const probabilities = details.open ? latest() : [];
    const rows = largest(probabilities, classes.length).map((category) =>
      element('li', { children: wordsOf(classes[category] ?? '', probabilities[category] ?? 0) }),
    );
    list.replaceChildren(...rows);
  });
  return details;
}

function rowOf(kind: 'button' | 'div', name: string, share: number): HTMLElement {
  const bar = element('span', { class: 'bar', attributes: { 'aria-hidden': 'true' } });
  bar.style.setProperty('--share', String(share));
  const children = [...wordsOf(name, share), bar];
  return element(kind, { class: 'row', children, attributes: kind === 'button' ? { type: 'button' } : {} });
}

/** As high as a row that says something. */
const placeholderRow = () => element('div', { class: 'row', text: '\u00a0' });

const wordsOf = (name: string, share: number) => [
  element('span', { class: 'name', text: name, attributes: { title: name } }),
  element('data', { class: 'share', text: percent(share), attributes: { value: String(share) } }),
];
