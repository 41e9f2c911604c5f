// Strokes, lists of {x, y}, as a model of numbers has learnt them: of one height, and close to each other.

/** The box around strokes that are drawn with a pen, {left, right, top, bottom}. */
function box(strokes, pen) {
  const [x, y] = ['x', 'y'].map(axis => strokes.flat().map(point => point[axis]));
  return {
    left: Math.min(...x) - pen / 2, right: Math.max(...x) + pen / 2,
    top: Math.min(...y) - pen / 2, bottom: Math.max(...y) + pen / 2,
  };
}

const moved = (strokes, place) => strokes.map(stroke => stroke.map(place));

/** Strokes in groups from left to right: those over or under each other are of one digit. */
function digits(strokes, pen) {
  const groups = [];
  for (const stroke of strokes.toSorted((a, b) => box([a], pen).left - box([b], pen).left)) {
    const last = groups.at(-1);
    if (last && box([stroke], pen).left < box(last, pen).right) last.push(stroke);
    else groups.push([stroke]);
  }
  return groups;
}

/**
 * The strokes, scaled to a height of `ink` in the middle of a frame, with gaps of at most `gap` between digits; lower
 * where they would be too wide. The pen keeps its width.
 */
export function arranged(strokes, {width, height, pen, ink, gap, margin}) {
  const around = box(strokes, 0);
  const scale = (ink - pen) / Math.max(around.bottom - around.top, pen);
  const scaled = moved(strokes, ({x, y}) => ({x: x * scale, y: y * scale}));
  let shift = 0, end = -Infinity;
  const close = digits(scaled, pen).flatMap(group => {
    const {left, right} = box(group, pen);
    if (end > -Infinity) shift -= Math.max(0, left - end - gap);
    end = Math.max(end, right);
    const by = shift;
    return moved(group, ({x, y}) => ({x: x + by, y}));
  });
  const made = box(close, pen);
  const fit = Math.min(1, (width - 2 * margin - pen) / Math.max(made.right - made.left - pen, pen));
  const half = fit * (made.right - made.left - pen) / 2 + pen / 2 + margin;
  const centre = Math.min(width - half, Math.max(half, (around.left + around.right) / 2));
  const [middleX, middleY] = [(made.left + made.right) / 2, (made.top + made.bottom) / 2];
  return moved(close, ({x, y}) => ({x: centre + fit * (x - middleX), y: height / 2 + fit * (y - middleY)}));
}
