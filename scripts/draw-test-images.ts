// Draws tests/places_test_input: five of Places365's classes as simple scenes, each picture with its own light, weather
// and place of things. The same seed draws the same pictures. After a build: node build/scripts/draw-test-images.js

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { Dice } from './draw-test-images/brush.js';
import { scenes } from './draw-test-images/scenes.js';

type Size = readonly [width: number, height: number];

const seed = 365;
const perClass = { train: 12, val: 4 };
/** Width and height in pixels; one is drawn for each picture. */
const sizes: readonly [Size, ...Size[]] = [
  [256, 256],
  [256, 256],
  [320, 256],
  [300, 225],
  [256, 320],
  [240, 300],
];

/** Renders a scene with a little grain, as a camera has. */
async function draw(name: keyof typeof scenes, pictureSeed: number): Promise<Buffer> {
  const dice = new Dice(pictureSeed);
  const [width, height] = dice.pick(...sizes);
  const scene = scenes[name](dice, width, height);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${scene}</svg>`;
  const pixels = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
  const [grain, light] = [dice.between(3, 9), dice.between(0.82, 1.12)];
  const exposed = Uint8ClampedArray.from(pixels, (value) => value * light + dice.between(-grain, grain));
  return sharp(exposed, { raw: { width, height, channels: 3 } })
    .blur(0.5)
    .jpeg({ quality: 70 })
    .toBuffer();
}

// Compiled, this file lies in build/scripts.
const target = fileURLToPath(new URL('../../tests/places_test_input/', import.meta.url));
let drawn = 0;
rmSync(target, { recursive: true, force: true });
for (const [part, count] of Object.entries(perClass)) {
  for (const name of Object.keys(scenes) as (keyof typeof scenes)[]) {
    const folder = join(target, part, name);
    mkdirSync(folder, { recursive: true });
    for (let i = 1; i <= count; i++) {
      drawn++;
      writeFileSync(join(folder, `${String(drawn).padStart(8, '0')}.jpg`), await draw(name, seed * 1000 + drawn));
    }
  }
}
console.log(`${drawn} pictures drawn into ${target}`);
