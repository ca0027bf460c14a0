// A class's map as a picture of few pixels, which the browser enlarges smoothly over the image.

import type { ClassMap } from './messages.js';

/** From nothing to most: dark and clear, over red, to bright and opaque; told apart by lightness, too. */
const stops = [
  [20, 11, 52, 0],
  [132, 32, 107, 110],
  [229, 92, 48, 170],
  [252, 255, 164, 205],
] as const;

/** Draws what speaks for the class, as shares of the strongest place. */
export function drawHeatMap(canvas: HTMLCanvasElement, { width, height, values }: ClassMap): void {
  canvas.width = width;
  canvas.height = height;
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  const pixels = new Uint8ClampedArray(width * height * 4);
  values.forEach((value, index) => {
    pixels.set(colourOf(most > 0 ? Math.max(0, value) / most : 0), index * 4);
  });
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, width, height), 0, 0);
}

/** Red, green, blue and opacity for a share of 1. */
function colourOf(share: number): number[] {
  const place = share * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  const [low, high] = [stops[index] ?? stops[0], stops[index + 1] ?? stops[0]];
  return low.map((value, channel) => value + ((high[channel] ?? 0) - value) * (place - index));
}
