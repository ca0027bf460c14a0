// One line of progress in tqdm's look:
//   Epoch 0:   2%|█▎ | 35/1697 [00:19<15:28, 1.79batch/s, loss=3.06, 229img/s, wait=3%]

export interface Progress {
  /** Of the pass: `Epoch 0`, `Validation`. */
  title: string;
  /** Batches done, of `batches`. */
  batch: number;
  batches: number;
  elapsedMs: number;
  /** Undefined before the first batch is done, as are the following. */
  batchesPerSecond: number | undefined;
  imagesPerSecond: number | undefined;
  loss: number | undefined;
  /** Share of the time in which the step waited for data, 0 to 1. */
  waitShare: number | undefined;
}

/** A line of exactly `width` cells. When they are few, gaps go first, then the figures from the right, then the bar. */
export function barLine(progress: Progress, width: number): string {
  const { title, batch, batches } = progress;
  const share = batches > 0 ? Math.min(batch / batches, 1) : 1;
  const left = `${title}: ${String(Math.floor(share * 100)).padStart(3)}%`;
  for (const { details, minBarWidth } of layouts(progress)) {
    const right = ` ${batch}/${batches} [${details}]`;
    const barWidth = width - left.length - right.length - 2;
    if (barWidth >= minBarWidth) return `${left}|${bar(share, barWidth)}|${right}`;
  }
  return `${left} ${batch}/${batches}`.padEnd(width).slice(0, Math.max(width, 0));
}

function layouts(progress: Progress): { details: string; minBarWidth: number }[] {
  const { elapsedMs, batch, batches, batchesPerSecond, loss, imagesPerSecond, waitShare } = progress;
  const remaining = batchesPerSecond ? clock((batches - batch) / batchesPerSecond) : '?';
  const time = `${clock(elapsedMs / 1000)}<${remaining}`;
  const rate = batchRate(batchesPerSecond);
  const lossText = loss === undefined ? [] : [`loss=${threeDigits(loss)}`];
  const images = imagesPerSecond === undefined ? [] : [`${threeDigits(imagesPerSecond)}img/s`];
  const wait = waitShare === undefined ? [] : [`wait=${Math.round(waitShare * 100)}%`];
  return [
    { details: [time, rate, ...lossText, ...images, ...wait].join(', '), minBarWidth: 6 },
    { details: [time, rate, ...lossText, ...images, ...wait].join(','), minBarWidth: 1 },
    { details: [time, rate, ...lossText, ...images].join(','), minBarWidth: 1 },
    { details: [time, rate, ...lossText].join(','), minBarWidth: 1 },
    { details: [time, ...lossText].join(','), minBarWidth: 1 },
    { details: time, minBarWidth: 1 },
  ];
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function bar(share: number, width: number): string {
  const filledEighths = Math.floor(share * width * 8);
  const filled = '█'.repeat(Math.floor(filledEighths / 8)) + (eighths[filledEighths % 8] ?? '');
  return filled.padEnd(width);
}

function batchRate(batchesPerSecond: number | undefined): string {
  if (batchesPerSecond === undefined) return '?batch/s';
  if (batchesPerSecond >= 1) return `${batchesPerSecond.toFixed(2)}batch/s`;
  return `${(1 / batchesPerSecond).toFixed(2)}s/batch`;
}

/** Seconds as `mm:ss`, from an hour on as `h:mm:ss`. */
function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const tail = `${String(minutes).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}

function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return String(value).toLowerCase();
  return Math.abs(value) < 999.5 ? value.toPrecision(3) : value.toFixed(0);
}
