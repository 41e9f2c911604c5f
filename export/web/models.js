// The models: a .tflite file with its signatures; strings in, strings out.
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

const UNKNOWN = 0xfffd;
let runtime;

/** Loads the model that an entry of models.json describes. */
export async function load(entry) {
  runtime ??= loadLiteRt('./litert/');
  await runtime;
  const model = await loadAndCompile(entry.file, {accelerator: 'wasm'});
  const codePoints = [...(await run(model, 'vocabulary', {})).code_points];
  return entry.kind === 'text' ? new LanguageModel(model, codePoints) : new Seq2Seq(model, codePoints, entry);
}

// Texts are Unicode code points to the model; what is no text is 0 or below.
const toCodePoints = text => [...text].map(character => character.codePointAt(0));
const toText = points => String.fromCodePoint(...points.filter(point => point > 0));

/** Runs a signature on {name: typed array or [typed array, shape]}; gives {name: typed array}. */
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
  constructor(model, codePoints) {
    this.model = model;
    this.codePoints = codePoints;
    this.characters = new Set(codePoints.filter(point => point > 0));
  }

  /** The first character that the model cannot read, as the model's own error names it. */
  outsider(text) {
    return [...text].find(character => !this.characters.has(character.codePointAt(0)));
  }

  delete() { this.model.delete(); }
}

export class Seq2Seq extends Model {
  constructor(model, codePoints, entry) {
    super(model, codePoints);
    this.sourceLength = entry.source_length;
    this.targetLength = entry.target_length;
  }

  /** The answer to a source. */
  async answer(source) {
    const reply = await run(this.model, 'batch_1', {source: this.#padded(source)});
    if (reply.error[0]) throw new Error(this.#reason(source));
    return toText([...reply.answer]);
  }

  /** The answer step by step: of each {character, probabilities: [[character, probability], …]}, '' being its end. */
  async * steps(source) {
    let states = await run(this.model, 'encode', {source: this.#padded(source)});
    if (states.error[0]) throw new Error(this.#reason(source));
    let token = 0;
    for (let step = 0; step < this.targetLength; step++) {
      const inputs = {token: Int32Array.of(token)};
      for (const [name, value] of Object.entries(states)) {
        if (name !== 'error') inputs[name] = [value, [1, value.length]];
      }
      const reply = await run(this.model, 'decode_step', inputs);
      const probabilities = [...reply.probabilities].map((share, id) => [toText([this.codePoints[id]]), share]);
      token = reply.next[0];
      yield {character: toText([token]), probabilities: probabilities.filter((_, id) => id !== 1)};
      if (token <= 0) return;
      for (const name of Object.keys(reply)) if (name in states) states[name] = reply[name];
    }
  }

  #padded(source) {
    const points = toCodePoints(source);
    if (points.length === 0 || points.length > this.sourceLength) throw new Error(this.#reason(source));
    return [Int32Array.from({length: this.sourceLength}, (_, i) => points[i] ?? 0), [1, this.sourceLength]];
  }

  // In the words of seqzoo's own errors.
  #reason(source) {
    const length = [...source].length;
    if (length === 0) return 'source is empty';
    if (length > this.sourceLength) {
      return `source '${source}' has ${length} characters, the model takes at most ${this.sourceLength}`;
    }
    return `source '${source}' has the character '${this.outsider(source)}', which is not in the vocabulary`;
  }
}

export class LanguageModel extends Model {
  /** Writes on from a prompt, character by character; temperature 0 takes the most probable one, topK 0 draws of all. */
  async * write(prompt, {temperature, topK, length}) {
    const hasUnknown = this.codePoints[2] === -1;
    const outsider = this.outsider(prompt);
    if (outsider !== undefined && !hasUnknown) {
      throw new Error(`the prompt has the character '${outsider}', which is not in the vocabulary`);
    }
    let states = this.#zeros();
    let logits;
    for (const token of [0, ...toCodePoints(prompt)]) {
      ({logits, states} = await this.#step(this.characters.has(token) || token === 0 ? token : UNKNOWN, states));
    }
    for (let written = 0; written < length; written++) {
      const point = this.codePoints[this.#pick(logits, temperature, topK)];
      if (point === 0) return;
      yield toText([point]);
      ({logits, states} = await this.#step(point, states));
    }
  }

  #zeros() {
    const details = this.model.signatures.step.getInputDetails().filter(each => each.name !== 'token');
    return Object.fromEntries(details.map(each => {
      const shape = [...each.shape];
      return [each.name, [new Float32Array(shape.reduce((a, b) => a * b)), shape]];
    }));
  }

  async #step(token, states) {
    const reply = await run(this.model, 'step', {token: Int32Array.of(token), ...states});
    for (const name of Object.keys(states)) states[name] = [reply[name], states[name][1]];
    return {logits: reply.logits, states};
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
