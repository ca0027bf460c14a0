// From what libvips decodes to the pixels that Pillow's convert('RGB') makes: red, green, blue bytes.

import type { Sharp } from 'sharp';

/** Decodes an image, or the part of it that was extracted. */
export type ReadPixels = (image: Sharp) => Promise<Uint8Array>;

/** The colours without alpha: dropped, not blended, as in Pillow. */
export const readRgb: ReadPixels = async (image) => {
  return await image.removeAlpha().toColourspace('srgb').raw().toBuffer();
};

/** Pillow's conversion, which knows no profiles: black takes its share, then each ink its share of the rest. */
export const readCmyk: ReadPixels = async (image) => {
  const inks = image.pipelineColourspace('cmyk').toColourspace('cmyk').raw();
  const { data, info } = await inks.toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(info.width * info.height * 3);
  for (let from = 0, to = 0; to < pixels.length; from += info.channels) {
    const rest = 255 - (data[from + 3] ?? 0);
    for (let ink = 0; ink < 3; ink++) {
      const product = (data[from + ink] ?? 0) * rest + 128;
      pixels[to++] = rest - (((product >> 8) + product) >> 8);
    }
  }
  return pixels;
};

/** Colours that were multiplied by alpha are divided by it, rounded down as in Pillow. */
export const readPremultiplied: ReadPixels = async (image) => {
  const { data, info } = await image.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(info.width * info.height * 3);
  for (let from = 0, to = 0; to < pixels.length; from += info.channels) {
    const alpha = data[from + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      const value = data[from + channel] ?? 0;
      pixels[to++] = alpha === 0 ? 0 : Math.min(255, Math.floor((255 * value) / alpha));
    }
  }
  return pixels;
};

/** Grey of 16 bits is clipped to 8, as in Pillow: most of it comes out white. */
export const readGrey16: ReadPixels = (image) => clipGrey16(image, (values, at) => values.getUint16(at, true));

export const readSignedGrey16: ReadPixels = (image) => {
  return clipGrey16(image, (values, at) => Math.max(0, values.getInt16(at, true)));
};

async function clipGrey16(image: Sharp, valueAt: (values: DataView, at: number) => number): Promise<Uint8Array> {
  const grey = image.removeAlpha().pipelineColourspace('grey16').toColourspace('grey16').raw({ depth: 'ushort' });
  const { data, info } = await grey.toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(info.width * info.height * 3);
  const values = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let to = 0, from = 0; to < pixels.length; to += 3, from += 2 * info.channels) {
    pixels.fill(Math.min(255, valueAt(values, from)), to, to + 3);
  }
  return pixels;
}
