// Line charts as SVG, with the same numbers as a table for those who do not see them.

const SVG = 'http://www.w3.org/2000/svg';
const [WIDEST, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [800, 300, 48, 12, 12, 40];
const COLOURS = ['var(--third)', 'var(--bad)', 'var(--accent)'];
const DASHES = ['2 4', '8 4', 'none'];

function add(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return parent.appendChild(element);
}

/** Draws {label: shares after each epoch} into a place. */
export function drawCurves(place, curves) {
  const width = Math.min(WIDEST, place.clientWidth);
  const epochs = Math.max(...Object.values(curves).map(values => values.length));
  const x = epoch => LEFT + (width - LEFT - RIGHT) * (epoch - 1) / Math.max(1, epochs - 1);
  const y = share => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute('role', 'img');
  const ends = Object.entries(curves).map(([label, values]) => `${label} ${percent(values.at(-1))}`);
  svg.setAttribute('aria-label', `Accuracy after ${epochs} epochs: ${ends.join(', ')}. All numbers are in the table below.`);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    add(svg, 'line', {class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share)});
    add(svg, 'text', {x: LEFT - 6, y: y(share) + 4, 'text-anchor': 'end'}, `${100 * share}%`);
  }
  for (let epoch = 5; epoch <= epochs; epoch += 5) {
    add(svg, 'text', {x: x(epoch), y: HEIGHT - BOTTOM + 18, 'text-anchor': 'middle'}, epoch);
  }
  add(svg, 'text', {x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 4, 'text-anchor': 'middle'}, 'epoch');
  Object.entries(curves).forEach(([label, values], i) => {
    const points = values.map((share, at) => `${x(at + 1)},${y(share)}`).join(' ');
    add(svg, 'polyline', {points, stroke: COLOURS[i % 3], 'stroke-dasharray': DASHES[i % 3]});
    const share = values.at(-1);
    const spot = {x: width - RIGHT, y: y(share) + (share > 0.9 ? 26 : -10), 'text-anchor': 'end'};
    add(svg, 'text', spot, `${label} ${percent(share)}`);
  });
  place.replaceChildren(svg, table(curves, epochs));
}

function table(curves, epochs) {
  const details = document.createElement('details');
  details.append(Object.assign(document.createElement('summary'), {textContent: 'The numbers'}));
  const made = details.appendChild(document.createElement('table'));
  const row = (cells, kind) => {
    const line = made.insertRow();
    for (const cell of cells) line.append(Object.assign(document.createElement(kind), {textContent: cell}));
  };
  row(['epoch', ...Object.keys(curves)], 'th');
  for (let at = 0; at < epochs; at++) row([at + 1, ...Object.values(curves).map(values => percent(values[at]))], 'td');
  return details;
}

const percent = share => share === undefined ? '' : `${(100 * share).toFixed(1)}%`;
