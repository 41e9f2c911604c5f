// Pictures as grey levels: a Float32Array of height × width, row by row, from 0 (black) to 1 (white).

const WEIGHTS = [0.299, 0.587, 0.114];

/** The grey levels of an opaque ImageData. */
export function greys({data, width, height}) {
  const [red, green, blue] = WEIGHTS, levels = new Float32Array(width * height);
  for (let at = 0; at < levels.length; at++) {
    levels[at] = (red * data[4 * at] + green * data[4 * at + 1] + blue * data[4 * at + 2]) / 255;
  }
  return levels;
}

/** The means of squares of `side` × `side` levels. */
export function averaged(levels, width, side) {
  const columns = width / side, rows = levels.length / width / side;
  const sums = new Float32Array(columns * rows);
  levels.forEach((level, at) => {
    sums[Math.floor(at / width / side) * columns + Math.floor(at % width / side)] += level;
  });
  return sums.map(sum => sum / side ** 2);
}

/** Levels of any size as Python's ImagePreprocessor fits them into a frame, in proportion, with grey around them. */
export function fitted(levels, from, to) {
  if (from.width === to.width && from.height === to.height) return levels;
  const scale = Math.min(to.width / from.width, to.height / from.height);
  const width = Math.max(1, rounded(from.width * scale)), height = Math.max(1, rounded(from.height * scale));
  const scaled = transposed(resized(transposed(resized(levels, from.width, width), width), from.height, height), height);
  const framed = new Float32Array(to.width * to.height).fill(borderMean(levels, from.width));
  const left = Math.floor((to.width - width) / 2), top = Math.floor((to.height - height) / 2);
  for (let row = 0; row < height; row++) {
    framed.set(scaled.subarray(row * width, (row + 1) * width), (top + row) * to.width + left);
  }
  return framed.map(level => Math.min(1, Math.max(0, level)));
}

// To the nearest whole number, halves to the even one, as Python and TensorFlow do.
function rounded(number) {
  const up = Math.round(number);
  return up - number === 0.5 && up % 2 ? up - 1 : up;
}

// Each row by a triangle filter, as wide as what becomes one level.
function resized(levels, from, to) {
  const step = from / to, radius = Math.max(1, step);
  const taps = Array.from({length: to}, (_, at) => {
    const centre = (at + 0.5) * step;
    const first = Math.max(0, Math.ceil(centre - radius - 0.5)), last = Math.min(from - 1, Math.floor(centre + radius - 0.5));
    const weights = Array.from({length: last - first + 1}, (_, i) => 1 - Math.abs(first + i + 0.5 - centre) / radius);
    const sum = weights.reduce((a, b) => a + b);
    return {first, weights: weights.map(weight => weight / sum)};
  });
  const rows = levels.length / from, made = new Float32Array(rows * to);
  for (let row = 0; row < rows; row++) {
    taps.forEach(({first, weights}, at) => {
      made[row * to + at] = weights.reduce((sum, weight, i) => sum + weight * levels[row * from + first + i], 0);
    });
  }
  return made;
}

function transposed(levels, width) {
  const height = levels.length / width;
  return levels.map((_, at) => levels[at % height * width + Math.floor(at / height)]);
}

function borderMean(levels, width) {
  const height = levels.length / width;
  // Of each side its first place, the step to the next one, and how many there are.
  const sides = [[0, 1, width], [levels.length - width, 1, width], [0, width, height], [width - 1, width, height]];
  const mean = ([first, step, count]) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += levels[first + i * step];
    return sum / count;
  };
  return sides.reduce((sum, side) => sum + mean(side), 0) / sides.length;
}

/** Levels as an opaque ImageData. */
export function imageData(levels, width) {
  const made = new ImageData(width, levels.length / width);
  levels.forEach((level, at) => made.data.set([...Array(3).fill(Math.round(255 * level)), 255], 4 * at));
  return made;
}
