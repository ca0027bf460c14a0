// Numbers and times as pages and tables of results write them.

/** A number of any size; a dash where there is none, which JSON writes as null where it was not finite. */
export function number(value: number | null | undefined, decimals = 4): string {
  return typeof value === 'number' && Number.isFinite(value) ? value.toFixed(decimals) : '–';
}

/** Of a value in percent. */
export function percent(value: number | null | undefined, decimals = 1): string {
  const text = number(value, decimals);
  return text === '–' ? text : `${text} %`;
}

/** `12.3 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A learning rate or the like. */
export function rate(value: number): string {
  return String(Number(value.toPrecision(4)));
}
