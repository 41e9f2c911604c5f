// A drawing on a canvas: the picture of a file, if one is opened, and strokes of a mouse, a finger or a pen.
import {averaged, fitted, greys, imageData} from './pixels.js';
import {arranged} from './strokes.js';

const LONGEST_SIDE = 1280;
const MAX_SIDE = 4096;

export class Drawing {
  /** Draws on a canvas what pointers draw; calls `began()` and `ended()` at each stroke's beginning and end. */
  constructor(canvas, {began, ended}) {
    this.canvas = canvas;
    const place = event => ({
      x: event.offsetX * this.frame.width / canvas.clientWidth, y: event.offsetY * this.frame.height / canvas.clientHeight,
    });
    let stroke;
    canvas.addEventListener('pointerdown', event => {
      if (stroke || !event.isPrimary || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      stroke = [place(event)];
      this.strokes.push(stroke);
      this.#show();
      began();
    });
    canvas.addEventListener('pointermove', event => {
      if (!stroke || !event.isPrimary) return;
      stroke.push(place(event));
      this.#show();
    });
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, event => {
        if (!stroke || !event.isPrimary) return;
        stroke = undefined;
        ended();
      });
    }
  }

  /** An empty drawing for a model, given its entry in models.json. */
  start({width, height, drawn_digits: digits}) {
    this.frame = {width, height, pen: height / 8, ...digits};
    this.isOfDigits = Boolean(digits);
    this.detail = Math.max(1, Math.floor(LONGEST_SIDE / Math.max(width, height)));
    this.canvas.width = width * this.detail;
    this.canvas.height = height * this.detail;
    this.canvas.style.setProperty('--proportion', width / height);
    this.clear();
  }

  clear() {
    this.strokes = [];
    this.paper = undefined;
    this.#show();
  }

  get isEmpty() { return !this.paper && this.strokes.length === 0; }

  /** Draws the picture of a file, PNG or JPEG, in place of all that was drawn; not if overtaken while it is read. */
  async open(file, isOvertaken) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, {colorSpaceConversion: 'none'});
    } catch {
      throw new Error(`${file.name} is no picture that can be read: a whole PNG or JPEG file`);
    }
    try {
      if (isOvertaken()) return;
      const {width, height} = bitmap;
      if (Math.max(width, height) > MAX_SIDE) {
        throw new Error(`${file.name} has ${width} × ${height} pixels, the model takes at most ${MAX_SIDE} × ${MAX_SIDE}`);
      }
      const context = blank(width, height);
      context.drawImage(bitmap, 0, 0);
      this.clear();
      this.paper = fitted(greys(context.getImageData(0, 0, width, height)), {width, height}, this.frame);
      this.#show();
    } finally {
      bitmap.close();
    }
  }

  /** What the model reads: float32 grey levels, height × width, each a whole 255th. */
  pixels() {
    const {width, height} = this.canvas;
    const context = blank(width, height);
    const isArranged = this.isOfDigits && !this.paper;
    this.#paint(context, isArranged ? arranged(this.strokes, this.frame) : this.strokes);
    const levels = averaged(greys(context.getImageData(0, 0, width, height)), width, this.detail);
    const [ink, paper] = isArranged ? this.frame.greys : [0, 1];
    return levels.map(level => Math.round(255 * (ink + (paper - ink) * level)) / 255);
  }

  /** Grey levels of the model's size as a picture to show, {url, proportion}. */
  picture(pixels) {
    const {width, height} = this.frame;
    return {url: this.#small(pixels).toDataURL(), proportion: width / height};
  }

  #small(pixels) {
    const context = blank(this.frame.width, this.frame.height);
    context.putImageData(imageData(pixels, this.frame.width), 0, 0);
    return context.canvas;
  }

  #show() { this.#paint(this.canvas.getContext('2d'), this.strokes); }

  #paint(context, strokes) {
    const {width, height} = context.canvas;
    whiten(context);
    if (this.paper) {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.#small(this.paper), 0, 0, width, height);
    }
    context.lineWidth = this.frame.pen * this.detail;
    context.lineCap = context.lineJoin = 'round';
    context.strokeStyle = 'black';
    for (const [first, ...others] of strokes) {
      context.beginPath();
      context.moveTo(first.x * this.detail, first.y * this.detail);
      // A line of no length would not be drawn, and so no dot.
      for (const {x, y} of [{x: first.x + 0.01, y: first.y}, ...others]) context.lineTo(x * this.detail, y * this.detail);
      context.stroke();
    }
  }
}

/** The context of a new white canvas. */
function blank(width, height) {
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  whiten(context);
  return context;
}

function whiten(context) {
  context.fillStyle = 'white';
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}
