// Reference files: numbers from torchvision (or timm) for weights and images that are computed, not stored.

/** One reference file, as it lies on disk. */
export interface Reference {
  model: string;
  salt: string;
  classes: number;
  image_size: number;
  params: number;
  torch: string;
  state_dict: Readonly<Record<string, readonly number[]>>;
  eval_logits: readonly (readonly number[])[];
  /** The training figures are left out for some models. */
  grad_l2?: Readonly<Record<string, number>>;
  sgd?: { lr: number; momentum: number; losses: readonly number[]; buffers_l2: Readonly<Record<string, number>> };
  adam?: { lr: number; losses: readonly number[] };
}

/** 32-bit FNV-1a of a string's UTF-8 bytes. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** `count` numbers in [-1, 1), determined by the name alone. */
export function hashedNumbers(salt: string, name: string, count: number): Float64Array {
  const seed = fnv1a(salt + name);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = (seed + Math.imul(i, 0x9e3779b1)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x = (x ^ (x >>> 16)) >>> 0;
    numbers[i] = (x / 2 ** 32) * 2 - 1;
  }
  return numbers;
}

/** The deterministic value of one parameter or buffer. */
export function referenceTensor(salt: string, name: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const value = valueRule(name, shape, count);
  return new Float32Array(hashedNumbers(salt, name, count).map(value));
}

function valueRule(name: string, shape: readonly number[], count: number): (u: number) => number {
  if (name.endsWith('running_mean')) return (u) => 0.1 * u;
  if (name.endsWith('running_var')) return (u) => 1 + 0.5 * u;
  if (shape.length >= 2) {
    const scale = Math.sqrt(3 / (count / (shape[0] ?? 1)));
    return (u) => u * scale;
  }
  return name.endsWith('.bias') ? (u) => 0.1 * u : (u) => 1 + 0.1 * u;
}

/** The bytes of `images` deterministic images, [N, size, size, 3], the buffer rounded up to a multiple of 4. */
export function referencePixels(salt: string, images: number, size: number): Uint8Array {
  const offset = fnv1a(salt) & 15;
  const pixels = new Uint8Array(Math.ceil((images * size * size * 3) / 4) * 4);
  let at = 0;
  for (let n = 0; n < images; n++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        for (let c = 0; c < 3; c++) {
          pixels[at++] = x * (3 + c) + y * (5 + 2 * c) + 37 * n + 7 * ((x * y) >> 4) + offset;
        }
      }
    }
  }
  return pixels;
}
