// Pixels of AVIF files as training has them. Browsers make red, green and blue of an AVIF's brightness and colour
// differences each in its own way, and some give the latter away, by WebCodecs (https://www.w3.org/TR/webcodecs/).
// What is made of them here is what libheif makes, on which training stands: the same to the bit.

import type { Bytes } from './file-edits.js';
import type { Pixels } from './png-pixels.js';

/** How many pixels, as a power of two, share a colour difference, across and down. */
const sharing = { I420: [1, 1], I422: [1, 0], I444: [0, 0] } as const;

/** Shares of red and blue in the brightness, by WebCodecs' name of the matrix. */
const shares: Readonly<Record<string, readonly [red: number, blue: number]>> = {
  smpte170m: [0.299, 0.114],
  bt470bg: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  'bt2020-ncl': [0.2627, 0.0593],
};

/** Undefined where the browser does not give away what it decodes, or of a kind that is not known here. */
export async function avifPixels(file: Bytes): Promise<Pixels | undefined> {
  if (!('ImageDecoder' in globalThis)) return undefined;
  const decoder = new ImageDecoder({ data: file, type: 'image/avif', colorSpaceConversion: 'none' });
  try {
    const { image } = await decoder.decode();
    const pixels = await pixelsOf(image);
    image.close();
    return pixels;
  } catch {
    // An image that can't be decoded fails once more in the browser's other decoder, and is told of there.
    return undefined;
  } finally {
    decoder.close();
  }
}

async function pixelsOf(image: VideoFrame): Promise<Pixels | undefined> {
  const shift = sharing[image.format as keyof typeof sharing];
  const share = shares[image.colorSpace.matrix ?? ''];
  if (!shift || !share) return undefined;
  const planes = new Uint8Array(image.allocationSize());
  const [y, u, v] = await image.copyTo(planes);
  if (!y || !u || !v) return undefined;
  const { width, height } = image.visibleRect ?? { width: image.codedWidth, height: image.codedHeight };
  const isFull = image.colorSpace.fullRange === true;
  const convert = isFull && image.format === 'I420' ? inWholeNumbers(share) : inFloats(share, isFull);
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  const [across, down] = shift;
  for (let row = 0, to = 0; row < height; row++) {
    const differences = (row >> down) * u.stride;
    for (let column = 0; column < width; column++, to += 4) {
      const at = differences + (column >> across);
      convert(
        planes[y.offset + row * y.stride + column] ?? 0,
        (planes[u.offset + at] ?? 0) - 128,
        (planes[v.offset + at] ?? 0) - 128,
        data,
        to,
      );
    }
  }
  return { width, height, data };
}

/** Puts the pixel of a brightness and two differences, of blue and of red, in its place. */
type Convert = (y: number, u: number, v: number, data: Uint8ClampedArray, to: number) => void;

/** What each difference adds to red, green and blue (ITU-T H.273, 8.3). */
function factorsOf([red, blue]: readonly [number, number]) {
  const green = 1 - red - blue;
  return {
    ...{ vToRed: 2 * (1 - red), uToBlue: 2 * (1 - blue) },
    uToGreen: (-2 * blue * (1 - blue)) / green,
    vToGreen: (-2 * red * (1 - red)) / green,
  };
}

function inWholeNumbers(share: readonly [number, number]): Convert {
  const factors = factorsOf(share);
  const whole = (factor: number) => Math.round(256 * factor);
  const [vToRed, uToGreen] = [whole(factors.vToRed), whole(factors.uToGreen)];
  const [vToGreen, uToBlue] = [whole(factors.vToGreen), whole(factors.uToBlue)];
  return (y, u, v, data, to) => {
    data[to] = y + ((vToRed * v + 128) >> 8);
    data[to + 1] = y + ((uToGreen * u + vToGreen * v + 128) >> 8);
    data[to + 2] = y + ((uToBlue * u + 128) >> 8);
  };
}

/** What a limited range is stretched by, as rounded as libheif has it: brightness from 219 steps, differences from 224. */
const stretch = { brightness: Math.fround(1.1689), differences: Math.fround(1.1429) };

/** In single precision. Half is rounded up, which a clamped array does not do by itself. */
function inFloats(share: readonly [number, number], isFull: boolean): Convert {
  const f = Math.fround;
  const factors = factorsOf(share);
  const [vToRed, uToGreen] = [f(factors.vToRed), f(factors.uToGreen)];
  const [vToGreen, uToBlue] = [f(factors.vToGreen), f(factors.uToBlue)];
  const rounded = (value: number) => Math.floor(f(value + 0.5));
  return (y, u, v, data, to) => {
    const bright = isFull ? y : f((y - 16) * stretch.brightness);
    const [toBlue, toRed] = isFull ? [u, v] : [f(u * stretch.differences), f(v * stretch.differences)];
    data[to] = rounded(f(bright + f(vToRed * toRed)));
    data[to + 1] = rounded(f(f(bright + f(uToGreen * toBlue)) + f(vToGreen * toRed)));
    data[to + 2] = rounded(f(bright + f(uToBlue * toBlue)));
  };
}
