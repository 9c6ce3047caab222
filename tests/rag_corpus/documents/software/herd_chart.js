// Curve of the cell count of a herd, drawn on the page "Milk" of Barnbook.

const LIMIT = 250000; // rules of milk quality, 2025; was 300000 before
const BONUS = 120000;

/** Geometric mean of the last three months, as the dairy wants it: one bad week must not ruin a quarter. */
export function rollingMean(counts, weeks = 13) {
  const recent = counts.slice(-weeks).filter((count) => count > 0);
  if (recent.length === 0) return null;
  const logs = recent.map((count) => Math.log(count));
  return Math.round(Math.exp(logs.reduce((sum, value) => sum + value, 0) / recent.length));
}

export function statusOf(count) {
  if (count === null) return "no sample";
  if (count > LIMIT) return "over the limit";
  return count < BONUS ? "bonus" : "fine";
}

/** Points for the polyline. Weeks without a sample leave a gap; they are not drawn as zero. */
export function segments(counts, width, height) {
  const step = width / Math.max(1, counts.length - 1);
  const y = (count) => height - (Math.min(count, 500000) / 500000) * height;
  const pieces = [[]];
  counts.forEach((count, week) => {
    if (count > 0) pieces[pieces.length - 1].push([week * step, y(count)]);
    else if (pieces[pieces.length - 1].length > 0) pieces.push([]);
  });
  return pieces.filter((piece) => piece.length > 0);
}
