/** Passes on the first call and no other. */
export function once<T>(hear: (value: T) => void): (value: T) => void {
  let hasHeard = false;
  return (value) => {
    if (!hasHeard) hear(value);
    hasHeard = true;
  };
}
