// Networks' building blocks once more, as plainly as they can be written, in float64: what the graph must agree with.

export interface NdArray {
  shape: readonly number[];
  values: Float64Array;
}

interface Window {
  stride: number;
  padding: 'SAME' | 'VALID';
  dilation?: number;
}

export function ndarray(shape: readonly number[], values?: ArrayLike<number>): NdArray {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, values: values ? Float64Array.from(values) : new Float64Array(length) };
}

const at = (list: ArrayLike<number>, index: number): number => {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no element ${index} of ${list.length}`);
  return value;
};

/** How many windows there are along an axis, and where the first one starts. */
function windows(length: number, kernel: number, { stride, padding, dilation = 1 }: Window) {
  const extent = (kernel - 1) * dilation + 1;
  if (padding === 'VALID') return { positions: Math.floor((length - extent) / stride) + 1, first: 0 };
  const positions = Math.ceil(length / stride);
  const total = Math.max((positions - 1) * stride + extent - length, 0);
  return { positions, first: -Math.floor(total / 2) };
}

/** Visits each pixel under each window: image number, the output's row and column, and the tap's and input's. */
function forEachTap(
  x: NdArray,
  kernel: readonly [height: number, width: number],
  window: Window,
  visit: (
    n: number,
    output: readonly [number, number],
    tap: readonly [number, number],
    input: readonly [number, number],
  ) => void,
): readonly [rows: number, columns: number] {
  const [images, height, width] = [at(x.shape, 0), at(x.shape, 1), at(x.shape, 2)];
  const rows = windows(height, kernel[0], window);
  const columns = windows(width, kernel[1], window);
  const { stride, dilation = 1 } = window;
  for (let n = 0; n < images; n++)
    for (let oy = 0; oy < rows.positions; oy++)
      for (let ox = 0; ox < columns.positions; ox++)
        for (let ky = 0; ky < kernel[0]; ky++)
          for (let kx = 0; kx < kernel[1]; kx++) {
            const iy = rows.first + oy * stride + ky * dilation;
            const ix = columns.first + ox * stride + kx * dilation;
            if (iy >= 0 && iy < height && ix >= 0 && ix < width) visit(n, [oy, ox], [ky, kx], [iy, ix]);
          }
  return [rows.positions, columns.positions];
}

/** Every product that a convolution sums: offsets into images, filter and result. */
function convolutionTerms(
  x: NdArray,
  filter: NdArray,
  window: Window,
): { shape: number[]; terms: [number, number, number][] } {
  const [kernelHeight, kernelWidth, depth, outputs] = [0, 1, 2, 3].map((axis) => at(filter.shape, axis)) as [
    number,
    number,
    number,
    number,
  ];
  const [, height, width, channels] = x.shape as [number, number, number, number];
  const perGroup = outputs / (channels / depth);
  const [rows, columns] = forEachTap(x, [kernelHeight, kernelWidth], window, () => {});
  const terms: [number, number, number][] = [];
  forEachTap(x, [kernelHeight, kernelWidth], window, (n, [oy, ox], [ky, kx], [iy, ix]) => {
    for (let o = 0; o < outputs; o++)
      for (let d = 0; d < depth; d++) {
        const c = Math.floor(o / perGroup) * depth + d;
        terms.push([
          ((n * height + iy) * width + ix) * channels + c,
          ((ky * kernelWidth + kx) * depth + d) * outputs + o,
          ((n * rows + oy) * columns + ox) * outputs + o,
        ]);
      }
  });
  return { shape: [at(x.shape, 0), rows, columns, outputs], terms };
}

/** Images [N, H, W, C], filter [h, w, C / groups, out]. */
export function convolve(x: NdArray, filter: NdArray, window: Window): NdArray {
  const { shape, terms } = convolutionTerms(x, filter, window);
  const y = ndarray(shape);
  for (const [xi, fi, yi] of terms) y.values[yi] = at(y.values, yi) + at(x.values, xi) * at(filter.values, fi);
  return y;
}

export function convolveBackward(x: NdArray, filter: NdArray, dy: NdArray, window: Window) {
  const dx = ndarray(x.shape);
  const dfilter = ndarray(filter.shape);
  for (const [xi, fi, yi] of convolutionTerms(x, filter, window).terms) {
    dx.values[xi] = at(dx.values, xi) + at(dy.values, yi) * at(filter.values, fi);
    dfilter.values[fi] = at(dfilter.values, fi) + at(dy.values, yi) * at(x.values, xi);
  }
  return { dx, dfilter };
}

/** The largest value of each window, and the offset at which it lies. */
export function pool(x: NdArray, kernel: number, window: Window): NdArray & { sources: number[] } {
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  const [rows, columns] = forEachTap(x, [kernel, kernel], window, () => {});
  const y = ndarray([images, rows, columns, channels]);
  const sources = new Array<number>(y.values.length).fill(-1);
  y.values.fill(Number.NEGATIVE_INFINITY);
  forEachTap(x, [kernel, kernel], window, (n, [oy, ox], _, [iy, ix]) => {
    for (let c = 0; c < channels; c++) {
      const from = ((n * height + iy) * width + ix) * channels + c;
      const to = ((n * rows + oy) * columns + ox) * channels + c;
      if (at(x.values, from) > at(y.values, to)) {
        y.values[to] = at(x.values, from);
        sources[to] = from;
      }
    }
  });
  return { ...y, sources };
}

export function poolBackward(x: NdArray, pooled: { sources: readonly number[] }, dy: NdArray): NdArray {
  const dx = ndarray(x.shape);
  for (const [to, from] of pooled.sources.entries()) dx.values[from] = at(dx.values, from) + at(dy.values, to);
  return dx;
}

/** Normalises each channel (the last axis) by its own statistics; `variance` is the biased one. */
export function batchNorm(x: NdArray, scale: ArrayLike<number>, offset: ArrayLike<number>, epsilon: number) {
  const channels = scale.length;
  const perChannel = x.values.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (const [i, value] of x.values.entries()) mean[i % channels] = at(mean, i % channels) + value / perChannel;
  for (const [i, value] of x.values.entries()) {
    variance[i % channels] = at(variance, i % channels) + (value - at(mean, i % channels)) ** 2 / perChannel;
  }
  const normalised = ndarray(x.shape);
  const y = ndarray(x.shape);
  for (const [i, value] of x.values.entries()) {
    const c = i % channels;
    normalised.values[i] = (value - at(mean, c)) / Math.sqrt(at(variance, c) + epsilon);
    y.values[i] = at(scale, c) * at(normalised.values, i) + at(offset, c);
  }
  return { y, normalised, mean, variance, unbiasedVariance: variance.map((v) => (v * perChannel) / (perChannel - 1)) };
}

export function batchNormBackward(
  { normalised, variance }: { normalised: NdArray; variance: Float64Array },
  scale: ArrayLike<number>,
  dy: NdArray,
  epsilon: number,
) {
  const channels = scale.length;
  const perChannel = dy.values.length / channels;
  const dscale = new Float64Array(channels);
  const doffset = new Float64Array(channels);
  for (const [i, value] of dy.values.entries()) {
    dscale[i % channels] = at(dscale, i % channels) + value * at(normalised.values, i);
    doffset[i % channels] = at(doffset, i % channels) + value;
  }
  const dx = ndarray(dy.shape);
  for (const [i, value] of dy.values.entries()) {
    const c = i % channels;
    const centred = value - at(doffset, c) / perChannel - (at(normalised.values, i) * at(dscale, c)) / perChannel;
    dx.values[i] = (at(scale, c) / Math.sqrt(at(variance, c) + epsilon)) * centred;
  }
  return { dx, dscale, doffset };
}

/** The cross-entropy of each row of logits [N, classes], and its derivative. */
export function crossEntropy(logits: NdArray, labels: ArrayLike<number>) {
  const [rows, classes] = logits.shape as [number, number];
  const losses = new Float64Array(rows);
  const dlogits = ndarray(logits.shape);
  for (let n = 0; n < rows; n++) {
    const row = logits.values.subarray(n * classes, (n + 1) * classes);
    const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
    losses[n] = Math.log(total) - at(row, at(labels, n));
    for (let c = 0; c < classes; c++) {
      dlogits.values[n * classes + c] = Math.exp(at(row, c)) / total - (c === at(labels, n) ? 1 : 0);
    }
  }
  return { losses, dlogits };
}
