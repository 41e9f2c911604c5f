// The models: a .tflite file with its signatures; strings or pictures in, strings out.
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

// The ids of a vocabulary that are no text.
const PADDING_ID = 0, START_ID = 1;
// What stands outside a vocabulary that has a token for it.
const UNKNOWN = 0xfffd;
const UNKNOWN_TEXT = String.fromCodePoint(UNKNOWN);
let runtime;

/** Loads the model that an entry of models.json describes. */
export async function load(entry) {
  const [file] = await Promise.all([fetched(entry.file), start()]);
  const model = await loadAndCompile(file, {accelerator: 'wasm'});
  try {
    const codePoints = [...(await run(model, 'vocabulary', {})).code_points];
    // Of words each id has several, and zeros after them.
    const [, width] = model.signatures.vocabulary.getOutputDetails()[0].shape;
    const Kind = {pairs: Seq2Seq, pictures: ImageToText, text: LanguageModel}[entry.kind];
    return new Kind(model, codePoints, entry, width);
  } catch (error) {
    model.delete();
    throw error;
  }
}

// Once for all models; what failed is tried again.
function start() {
  runtime ??= loadLiteRt('./litert/').catch(error => { runtime = undefined; throw error; });
  return runtime;
}

async function fetched(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
  return new Uint8Array(await reply.arrayBuffer());
}

// Texts are Unicode code points to the model; what is no text is 0 or below.
const toCodePoints = text => [...text].map(character => character.codePointAt(0));
const toText = points => String.fromCodePoint(...points.filter(point => point > 0));

/** Runs a signature on {name: typed array or [typed array, shape]}; returns {name: typed array}. */
async function run(model, signature, inputs) {
  const tensors = {};
  for (const [name, value] of Object.entries(inputs)) {
    const [data, shape] = Array.isArray(value) ? value : [value, [value.length]];
    tensors[name] = new Tensor(data, shape);
  }
  const outputs = await model.run(signature, tensors);
  const values = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    values[name] = (await tensor.data()).slice();
    tensor.delete();
  }
  Object.values(tensors).forEach(tensor => tensor.delete());
  return values;
}

class Model {
  constructor(model, codePoints, entry) {
    this.model = model;
    this.codePoints = codePoints;
    this.entry = entry;
    this.characters = new Set(entry.tokens);
  }

  /** The first character that the model cannot read, as the model's own error names it. */
  outsider(text) {
    return [...text].find(character => !this.characters.has(character));
  }

  /** A text as the model reads it: in the normal form and in lower case if its vocabulary has them. */
  normalized(text) {
    const {normal_form: form, lower_case: lowerCase} = this.entry;
    const inForm = each => form ? each.normalize(form) : each;
    text = inForm(text);
    return lowerCase ? inForm([...text].map(character => character.toLowerCase()).join('')) : text;
  }

  delete() { this.model.delete(); }
}

/** What models have in common that answer sources, of whatever kind these are. */
class AnsweringModel extends Model {
  constructor(model, codePoints, entry, width) {
    super(model, codePoints, entry);
    this.ofWords = width !== undefined;
    this.names = [];
    for (let at = 0; at < codePoints.length; at += width ?? 1) {
      this.names.push(at === 0 ? '' : toText(codePoints.slice(at, at + (width ?? 1))) || (this.ofWords ? '<unk>' : UNKNOWN_TEXT));
    }
    const details = model.signatures.decode_step.getInputDetails();
    this.shapes = Object.fromEntries(details.map(each => [each.name, [...each.shape]]));
  }

  /** The tokens of an answer as a text. */
  text(tokens) {
    return (this.entry.reverse_target ? tokens.toReversed() : tokens).join(this.ofWords ? ' ' : '');
  }

  /** The answer to a source. */
  async answer(source) {
    const reply = await run(this.model, 'batch_1', {source: this.encoded(source)});
    if (reply.error[0]) throw new Error(this.reason(source));
    return toText([...reply.answer]);
  }

  /**
   * The answer step by step: of each {token, probabilities: [[token, probability], …], alignment}, '' being its end. The
   * alignment has a share for each of the source's parts; undefined without attention.
   */
  async * steps(source) {
    let states = await this.#encode(source);
    let token = 0;
    for (let step = 0; step < this.entry.target_length; step++) {
      const reply = await this.#decodeStep(token, states);
      const probabilities = [...reply.probabilities].map((share, id) => [this.names[id], share]);
      token = reply.next[0];
      yield {
        token: this.ofWords ? this.names[token] : toText([token]),
        probabilities: probabilities.filter((_, id) => id !== START_ID),
        alignment: reply.alignment && [...reply.alignment].slice(0, this.parts(source).length),
      };
      if (token <= 0) return;
      states = reply.states;
    }
  }

  /**
   * The best complete answers that a beam of unfinished ones leads to, [[text, log-probability], …], best first, as
   * `n_best` of Python finds them. Yields, at each step, those that are found so far: so the caller can stop.
   */
  async * search(source, beamSize) {
    const isBetter = (one, other) => other.logProbability - one.logProbability;
    let unfinished = [{token: 0, tokens: [], logProbability: 0, states: await this.#encode(source)}];
    let complete = [];
    const best = () => complete.map(({tokens, logProbability}) => [this.text(tokens), logProbability]);
    for (let step = 0; step < this.entry.target_length; step++) {
      const longer = [];
      for (const {token, tokens, logProbability, states} of unfinished) {
        const reply = await this.#decodeStep(token, states);
        reply.probabilities.forEach((share, id) => {
          if (share === 0) return;
          const reached = logProbability + Math.log(share);
          // No answer is empty, and the start token stands in none.
          if (id === PADDING_ID && step > 0) complete.push({tokens, logProbability: reached});
          if (id <= START_ID) return;
          const next = this.ofWords ? id : this.names[id].codePointAt(0);
          longer.push({
            token: next, tokens: [...tokens, this.names[id]], logProbability: reached, states: reply.states,
          });
        });
      }
      complete = complete.sort(isBetter).slice(0, beamSize);
      unfinished = longer.sort(isBetter).slice(0, beamSize);
      yield best();
      if (unfinished.length === 0) return;
      if (complete.length === beamSize && unfinished[0].logProbability <= complete.at(-1).logProbability) return;
    }
    complete = [...complete, ...unfinished].sort(isBetter).slice(0, beamSize);
    yield best();
  }

  /** The states of the decoder before an answer to a source. */
  async #encode(source) {
    const {error, ...states} = await run(this.model, 'encode', {source: this.encoded(source)});
    if (error[0]) throw new Error(this.reason(source));
    return states;
  }

  /** What follows a token: the outputs of the file's `decode_step`, and all states after it. */
  async #decodeStep(token, states) {
    const shaped = Object.entries(states).map(([name, value]) => [name, [value, this.shapes[name]]]);
    const reply = await run(this.model, 'decode_step', {token: Int32Array.of(token), ...Object.fromEntries(shaped)});
    const after = Object.keys(states).map(name => [name, reply[name] ?? states[name]]);
    return {...reply, states: Object.fromEntries(after)};
  }
}

export class Seq2Seq extends AnsweringModel {
  /** What an alignment has shares of: the characters of a source, as the model reads it. */
  parts(source) { return [...this.normalized(source)]; }

  /** A source as the file takes it, [data, shape]. */
  encoded(source) {
    const points = toCodePoints(this.normalized(source));
    if (points.length === 0 || points.length > this.entry.source_length) throw new Error(this.reason(source));
    return [Int32Array.from({length: this.entry.source_length}, (_, i) => points[i] ?? 0), [1, this.entry.source_length]];
  }

  /** What is wrong with a source, in the words of seqzoo's own errors. */
  reason(source) {
    const read = this.normalized(source), length = [...read].length;
    if (length === 0) return 'source is empty';
    if (length > this.entry.source_length) {
      return `source '${source}' has ${length} characters, the model takes at most ${this.entry.source_length}`;
    }
    return `source '${source}' has the character '${this.outsider(read)}', which is not in the vocabulary`;
  }
}

/** A model of pictures; a source is its grey levels, a Float32Array of height × width from 0 (black) to 1 (white). */
export class ImageToText extends AnsweringModel {
  /** What an alignment has shares of: columns of the picture, from left to right. */
  parts() { return Array.from({length: this.shapes.mask?.[1] ?? 0}, (_, at) => `column ${at + 1}`); }

  encoded(pixels) { return [pixels, [1, this.entry.height, this.entry.width]]; }

  reason() { return 'the picture must have levels from 0 (black) to 1 (white)'; }
}

export class LanguageModel extends Model {
  /**
   * Writes on from a prompt, character by character; temperature 0 takes the most probable one, topK 0 draws of all.
   * While it reads the prompt it yields '' for each character, so that the caller can stop.
   */
  async * write(prompt, {temperature, topK, length}) {
    prompt = this.normalized(prompt);
    const hasUnknown = this.codePoints[2] === -1;
    const outsider = this.outsider(this.entry.lines ? prompt.replace(/^\n/, '') : prompt);
    if (outsider !== undefined && !hasUnknown) {
      throw new Error(`the prompt has the character '${outsider}', which is not in the vocabulary`);
    }
    // 0 begins a text: an empty prompt does, and, where each line is a text, a line break.
    const begins = prompt === '' || (this.entry.lines && prompt.startsWith('\n'));
    const points = toCodePoints(begins ? prompt.slice(1) : prompt);
    const states = this.#zeros();
    let logits;
    for (const token of begins ? [0, ...points] : points) {
      logits = await this.#step(this.codePoints.includes(token) ? token : UNKNOWN, states);
      yield '';
    }
    for (let written = 0; written < length; written++) {
      const point = this.codePoints[this.#pick(logits, temperature, topK)];
      if (point === 0) return;
      yield toText([point]);
      logits = await this.#step(point, states);
    }
  }

  #zeros() {
    const details = this.model.signatures.step.getInputDetails().filter(each => each.name !== 'token');
    return Object.fromEntries(details.map(each => {
      const shape = [...each.shape];
      return [each.name, [new Float32Array(shape.reduce((a, b) => a * b)), shape]];
    }));
  }

  /** The logits after a token; brings the states to where it leaves them. */
  async #step(token, states) {
    const reply = await run(this.model, 'step', {token: Int32Array.of(token), ...states});
    for (const name of Object.keys(states)) states[name] = [reply[name], states[name][1]];
    return reply.logits;
  }

  #pick(logits, temperature, topK) {
    const ids = [...logits.keys()].filter(id => this.codePoints[id] >= 0).sort((a, b) => logits[b] - logits[a] || a - b);
    if (temperature === 0) return ids[0];
    const kept = topK > 0 ? ids.slice(0, topK) : ids;
    const weights = kept.map(id => Math.exp((logits[id] - logits[kept[0]]) / temperature));
    let rest = Math.random() * weights.reduce((a, b) => a + b);
    return kept[weights.findIndex(weight => (rest -= weight) < 0)] ?? kept[0];
  }
}
