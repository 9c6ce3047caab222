// Map of the fields in Barnbook: which field is a telephone standing in?
// Coordinates are metres in the grid of the land office, not degrees.

const SNAP_METRES = 12; // people book from the gate, which is beside the field

/** Is the point inside the ring? Counts crossings of a ray to the east. */
export function inside(point, ring) {
  let odd = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > point.y !== yj > point.y && point.x < ((xj - xi) * (point.y - yi)) / (yj - yi) + xi) {
      odd = !odd;
    }
  }
  return odd;
}

/** The field that contains the point, else the nearest within SNAP_METRES, else null. */
export function fieldAt(point, fields) {
  const hit = fields.find((field) => inside(point, field.ring));
  if (hit) return hit;
  const near = fields
    .map((field) => ({ field, metres: Math.min(...field.ring.map(([x, y]) => Math.hypot(x - point.x, y - point.y))) }))
    .filter((entry) => entry.metres <= SNAP_METRES)
    .sort((a, b) => a.metres - b.metres);
  return near.length > 0 ? near[0].field : null;
}

// Colours: own fields green, those of others grey, and Goat Hill always orange, because Rosa Ibáñez
// cannot tell green from grey and asked for it.
export function colourOf(field, member) {
  if (field.farm === "Goat Hill") return "#e08a1e";
  return field.member === member ? "#3d8b40" : "#9a9a9a";
}
