// The learning-rate range test: a rate that rises from step to step, and the loss that it leads to. Smith 2017,
// arXiv:1506.01186; exponentially rising as in Howard and Gugger 2020, arXiv:2002.04688.

export interface RangePoint {
  learningRate: number;
  /** Of the step's batch, before the step. */
  loss: number;
}

export interface RangeSettings {
  /** The first rate and the last one. */
  from: number;
  to: number;
  steps: number;
}

/** The test has diverged where the smoothed loss is so many times its lowest. */
const divergedAt = 4;
/** How much of the smoothed loss stays with each step. */
const smoothing = 0.9;
/** The smoothed loss of fewer steps says nothing. */
const leastSteps = 10;

/** The points of a test, step by step. */
export class LearningRateRange {
  readonly #settings: RangeSettings;
  readonly points: RangePoint[] = [];
  #sum = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #hasDiverged = false;

  constructor(settings: RangeSettings) {
    this.#settings = settings;
  }

  /** Of the next step. */
  get learningRate(): number {
    const { from, to, steps } = this.#settings;
    return from * (to / from) ** (this.points.length / Math.max(1, steps - 1));
  }

  get hasDiverged(): boolean {
    return this.#hasDiverged;
  }

  get isOver(): boolean {
    return this.#hasDiverged || this.points.length >= this.#settings.steps;
  }

  /** The loss of a step with the rate above. One that is no finite number is no point, and ends the test. */
  note(loss: number): void {
    if (!Number.isFinite(loss)) {
      this.#hasDiverged = true;
      return;
    }
    this.points.push({ learningRate: this.learningRate, loss });
    this.#sum = smoothing * this.#sum + (1 - smoothing) * loss;
    const smoothed = this.#sum / (1 - smoothing ** this.points.length);
    this.#lowest = Math.min(this.#lowest, smoothed);
    this.#hasDiverged = this.points.length > leastSteps && smoothed > divergedAt * this.#lowest;
  }
}

export interface SmoothedPoint extends RangePoint {
  smoothed: number;
  /** By which the smoothed loss rises within a tenfold rate. */
  slope: number;
}

/** A straight line through the losses around each point, near ones weighing more: Cleveland 1979, doi:10.2307/2286407. */
export function smoothed(points: readonly RangePoint[]): SmoothedPoint[] {
  const reach = reachOf(points);
  return points.map((point, at) => {
    const x = Math.log10(point.learningRate);
    let [n, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
    for (const [index, { learningRate, loss }] of points.entries()) {
      const weight = Math.exp(-0.5 * ((index - at) / reach) ** 2);
      const dx = Math.log10(learningRate) - x;
      n += weight;
      sx += weight * dx;
      sy += weight * loss;
      sxx += weight * dx * dx;
      sxy += weight * dx * loss;
    }
    const spread = n * sxx - sx * sx;
    const slope = spread > 0 ? (n * sxy - sx * sy) / spread : 0;
    return { ...point, smoothed: (sy - slope * sx) / n, slope };
  });
}

/** Steps. */
const reachOf = (points: readonly RangePoint[]) => Math.max(3, points.length / 20);

export interface SuggestedRates {
  /** Where the loss falls fastest. */
  steepest: number;
  /** A tenth of the rate at which the loss has become lowest; undefined where it has not grown again after that. */
  tenthOfLowest: number | undefined;
}

/** The loss falls by at least so much of its first value, or nothing can be said. */
const leastFall = 0.05;
/** Of its fall: what is so near to the lowest loss is as low. */
const asLow = 0.01;

/** Undefined where the loss does not fall, or of too few points. */
export function suggestRates(points: readonly SmoothedPoint[]): SuggestedRates | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || points.length <= leastSteps) return undefined;
  const minimum = Math.min(...points.map((point) => point.smoothed));
  const fall = first.smoothed - minimum;
  if (fall < leastFall * first.smoothed) return undefined;
  const lowest = points.findIndex((point) => point.smoothed <= minimum + asLow * fall);
  // Beyond the first ones, whose slope rests on one side only.
  const falling = points.slice(Math.min(lowest, Math.ceil(2 * reachOf(points))), lowest + 1);
  const steepest = falling.reduce((best, point) => (point.slope < best.slope ? point : best));
  const hasGrown = last.smoothed > minimum + leastFall * first.smoothed;
  const tenthOfLowest = hasGrown ? (points[lowest]?.learningRate ?? 0) / 10 : undefined;
  return { steepest: steepest.learningRate, tenthOfLowest };
}
