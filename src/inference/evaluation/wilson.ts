/** A share and what it may well be in truth; all in percent. */
export interface Share {
  percent: number;
  /** The ends of the 95 % interval. */
  low: number;
  high: number;
}

/** The 97.5th percentile of the standard normal distribution. */
const z = 1.959963984540054;

/**
 * `successes` of `trials` with the 95 % score interval of Wilson 1927 (doi:10.1080/01621459.1927.10502953), which stays
 * within 0 and 100 %. Not a number where there are no trials.
 */
export function wilsonShare(successes: number, trials: number): Share {
  const share = successes / trials;
  const scale = 1 + z ** 2 / trials;
  const centre = (share + z ** 2 / (2 * trials)) / scale;
  const half = (z * Math.sqrt((share * (1 - share)) / trials + z ** 2 / (4 * trials ** 2))) / scale;
  // At the ends the interval ends there exactly; rounding would leave a little more or less.
  const low = successes === 0 ? 0 : centre - half;
  const high = successes === trials ? 1 : centre + half;
  return { percent: 100 * share, low: 100 * low, high: 100 * high };
}
