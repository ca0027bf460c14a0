// What the scenes are drawn with: seeded chance, and SVG shapes as text.

import { MersenneTwister } from '#src/data/random.js';

/** Draws of chance for one picture. */
export class Dice {
  readonly #random: MersenneTwister;

  constructor(pictureSeed: number) {
    this.#random = new MersenneTwister(pictureSeed);
  }

  between(low: number, high: number): number {
    return low + (this.#random.nextUint32() / 2 ** 32) * (high - low);
  }

  chance(probability: number): boolean {
    return this.between(0, 1) < probability;
  }

  pick<T>(first: T, ...others: T[]): T {
    return [first, ...others][Math.floor(this.between(0, others.length + 1))] ?? first;
  }

  /** A colour near a given hue (degrees), saturation and lightness (percent). */
  colour(hue: number, saturation: number, lightness: number, spread = 1): string {
    const [h, s, l] = [
      hue + this.between(-8, 8) * spread,
      saturation + this.between(-9, 9) * spread,
      lightness + this.between(-6, 6) * spread,
    ];
    return `hsl(${((h + 360) % 360).toFixed(0)}, ${clamp(s).toFixed(0)}%, ${clamp(l).toFixed(0)}%)`;
  }

  /** `count` drawings, one after the other. */
  repeat(low: number, high: number, draw: (i: number) => string): string {
    return Array.from({ length: Math.round(this.between(low, high)) }, (_, i) => draw(i)).join('');
  }
}

export type Point = readonly [x: number, y: number];

const clamp = (percent: number) => Math.min(100, Math.max(0, percent));
export const mix = (from: number, to: number, share: number) => from + (to - from) * share;

export function polygon(points: readonly Point[], fill: string, more = ''): string {
  return `<polygon points="${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ')}" fill="${fill}" ${more}/>`;
}

export function box(x: number, y: number, width: number, height: number, fill: string, more = ''): string {
  return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${fill}" ${more}/>`;
}

export function blob(x: number, y: number, rx: number, ry: number, fill: string, opacity = 1): string {
  return `<ellipse cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" rx="${rx.toFixed(1)}" ry="${ry.toFixed(1)}" fill="${fill}" opacity="${opacity}"/>`;
}

export function line(from: Point, to: Point, colour: string, width: number): string {
  const [[x1, y1], [x2, y2]] = [from, to].map(([x, y]) => [x.toFixed(1), y.toFixed(1)]) as [string[], string[]];
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width.toFixed(1)}"/>`;
}

export function fade(id: string, top: string, bottom: string): string {
  return `<linearGradient id="${id}" x2="0" y2="1"><stop stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient>`;
}
