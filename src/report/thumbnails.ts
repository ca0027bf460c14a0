// Small pictures of images as the network sees them.

import sharp from 'sharp';
import { decodeImage } from '../data/decode.js';
import { type Preprocessing, preprocessings } from '../data/preprocessing.js';
import { dataUrl } from './figure.js';

/** Pixels of a side; the page shows them at half the size on fine screens. */
const side = 112;

/** One address for each image that holds it whole; undefined for those that can't be read any more. */
export function thumbnails(paths: readonly string[], { exif }: { exif: boolean }): Promise<(string | undefined)[]> {
  const { resize, crop } = preprocessings.resnet;
  const small: Preprocessing = {
    ...preprocessings.resnet,
    exif,
    crop: side,
    resize: Math.round((side * resize) / crop),
  };
  return Promise.all(paths.map((path) => thumbnail(path, small).catch(() => undefined)));
}

async function thumbnail(path: string, preprocessing: Preprocessing): Promise<string> {
  const pixels = await decodeImage(path, preprocessing);
  const jpeg = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 78, mozjpeg: false })
    .toBuffer();
  return dataUrl('image/jpeg', jpeg);
}
