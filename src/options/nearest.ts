/**
 * The candidate that a misspelt word most likely meant, or undefined when none is near. Case and the difference between
 * dashes and underscores don't count; a candidate that continues the word is near whatever its length.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  return nearestFew(word, candidates, 1)[0];
}

/** As `nearest`: up to `limit` candidates, the nearest first, and of those as near as each other the earlier first. */
export function nearestFew(word: string, candidates: Iterable<string>, limit: number): string[] {
  const wanted = plain(word);
  if (wanted === '') return [];
  const near: { candidate: string; distance: number }[] = [];
  for (const candidate of candidates) {
    const name = plain(candidate);
    const isBeginning = wanted.length >= 2 && name.startsWith(wanted);
    const distance = wanted === name ? 0 : isBeginning ? 1 : editDistance(wanted, name);
    const farthest = Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3));
    if (distance <= farthest) near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance);
  return near.slice(0, limit).map(({ candidate }) => candidate);
}

/** How to mend a misspelt word: by what it most likely meant, if anything, and in another way, if there is one. */
export function didYouMean(suggestion: string | undefined, otherwise?: string): string | undefined {
  const question = suggestion && `Did you mean ${suggestion}`;
  return question && otherwise ? `${question}? ${otherwise}` : question || otherwise;
}

function plain(word: string): string {
  // Longer words are no misspelling of anything, and the distance takes time in proportion to the length.
  return word.slice(0, 64).toLowerCase().replaceAll('-', '_');
}

/** Damerau-Levenshtein distance in which no part is edited twice: insert, delete, replace, swap neighbours. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + substitution,
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], column: number): number {
  const value = row[column];
  if (value === undefined) throw new Error(`internal: no distance in column ${column}`);
  return value;
}
