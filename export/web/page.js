// The page: chooses a model, runs it, and shows its output.
import {Alignment} from './alignment.js';
import {drawCurves} from './chart.js';
import {Drawing} from './drawing.js';
import {load} from './models.js';

const SUMS = 1000;
const BEAM_SIZE = 5;
const STEP_MILLISECONDS = 120;
// After the end of a stroke; a digit may have another one.
const READ_MILLISECONDS = 800;
const HEADINGS = {pairs: 'Answer a source', pictures: 'Read a picture'};
const ALIGNED = {pairs: 'character of the source', pictures: 'column of the picture, as the model sees it,'};
const at = id => document.getElementById(id);
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
const shown = token => ({'': 'end', ' ': '␣', '\n': '↵'})[token] ?? token;

// The model that is shown, and its entry in models.json.
let model, entry;
// The task begun last, loading or answering; tasks that were overtaken stop and show nothing.
let loads = 0, runs = 0;
let running = Promise.resolve();
const drawing = new Drawing(at('canvas'), {began: waitForMore, ended: readSoon});
let reading;

try {
  const reply = await fetch('models.json');
  if (!reply.ok) throw new Error(`models.json: ${reply.status} ${reply.statusText}`);
  const {models, curves} = await reply.json();
  for (const each of models) at('model').append(new Option(each.name, each.name));
  const choose = () => show(models.find(each => each.name === at('model').value));
  at('model').addEventListener('change', choose);
  at('ask-form').addEventListener('submit', event => { event.preventDefault(); begin(ask, 'source'); });
  at('write-form').addEventListener('submit', event => { event.preventDefault(); begin(write, 'prompt'); });
  at('draw-form').addEventListener('submit', event => { event.preventDefault(); begin(read, 'picture'); });
  at('clear').addEventListener('click', clearDrawing);
  at('picture').addEventListener('change', () => begin(readFile, 'picture'));
  at('many').addEventListener('click', () => begin(askMany, 'source'));
  drawCurves(at('chart'), curves);
  await choose();
} catch (error) {
  at('status').textContent = `The page could not be loaded: ${error.message}`;
}

/** Loads a model and shows its part of the page, once what the last one was doing has ended. */
async function show(chosen) {
  const mine = ++loads;
  waitForMore();
  at('pairs').hidden = at('text').hidden = true;
  at('about').textContent = chosen.about;
  at('status').textContent = `Loading ${chosen.name} …`;
  let loaded;
  try {
    loaded = await load(chosen);
  } catch (error) {
    if (mine === loads) at('status').textContent = `${chosen.name} could not be loaded: ${error.message}`;
    return;
  }
  await running;
  if (mine !== loads) return loaded.delete();
  model?.delete();
  [model, entry] = [loaded, chosen];
  clear();
  at('status').textContent = `${entry.name} is ready.`;
  at('pairs').hidden = entry.kind === 'text';
  at('text').hidden = entry.kind !== 'text';
  if (entry.kind === 'text') return;
  at('ask').textContent = HEADINGS[entry.kind];
  at('aligned-label').textContent = `Attention: the share of each ${ALIGNED[entry.kind]} in each step of the answer, a row`;
  at('steps').classList.toggle('words', model.ofWords);
  at('ask-form').hidden = entry.kind !== 'pairs';
  at('draw-form').hidden = entry.kind !== 'pictures';
  at('sums').hidden = !entry.digits;
  if (entry.kind === 'pictures') return startDrawing();
  at('source-label').textContent = entry.digits ? `A sum, each number of up to ${entry.digits} digits` : 'Source';
  at('source').value = entry.example;
  await begin(ask, 'source');
}

function clear() {
  clearAnswer();
  for (const id of ['written', 'speed', 'many-result']) at(id).textContent = '';
  at('many-wrong').replaceChildren();
  for (const id of ['source', 'prompt', 'picture']) showError(id, '');
}

function clearAnswer() {
  at('answer').textContent = at('verdict').textContent = '';
  for (const id of ['steps', 'alignment', 'best-answers']) at(id).replaceChildren();
  at('aligned').hidden = at('best').hidden = true;
}

/** Does one thing at a time: what was begun before ends first, which it does at its next look at the clock. */
function begin(action, field) {
  waitForMore();
  const mine = runs;
  const isOvertaken = () => mine !== runs;
  running = running.then(async () => {
    if (isOvertaken()) return;
    showError(field, '');
    try {
      await action(isOvertaken);
    } catch (error) {
      if (!isOvertaken()) showError(field, error.message);
    }
  });
  return running;
}

async function ask(isOvertaken) {
  const source = at('source').value;
  clearAnswer();
  const answer = await showSteps(source, isOvertaken);
  if (answer === undefined) return;
  const right = sumOf(source);
  at('verdict').className = right === undefined ? '' : answer === right ? 'right' : 'wrong';
  at('verdict').textContent = right === undefined ? `${source} → ${answer}`
    : answer === right ? `right: ${source} = ${right}` : `wrong: ${source} = ${right}`;
  await showBest(source, isOvertaken);
}

/** Shows the answer to a source step by step, over its `picture`, if it has one; `undefined` if overtaken. */
async function showSteps(source, isOvertaken, picture) {
  const alignment = new Alignment(at('alignment'), model.parts(source).map(shown), picture);
  const tokens = [];
  for await (const step of model.steps(source)) {
    if (isOvertaken()) return;
    if (step.token) tokens.push(step.token);
    at('answer').textContent = model.text(tokens);
    at('steps').append(bars(step));
    if (step.alignment && step.token) {
      at('aligned').hidden = false;
      alignment.add(shown(step.token), step.alignment);
    }
    if (!isStill) await pause(STEP_MILLISECONDS);
  }
  return isOvertaken() ? undefined : at('answer').textContent;
}

/** Shows the most probable answers to a source. */
async function showBest(source, isOvertaken) {
  let answers = [];
  for await (const found of model.search(source, BEAM_SIZE)) {
    if (isOvertaken()) return;
    answers = found;
  }
  for (const [answer, logProbability] of answers) {
    const row = at('best-answers').insertRow();
    row.append(Object.assign(document.createElement('th'), {scope: 'row', textContent: answer}));
    row.insertCell().textContent = percent(Math.exp(logProbability));
  }
  at('best').hidden = false;
}

function sumOf(source) {
  const operands = entry.digits ? source.match(/^(\d+)\+(\d+)$/) : null;
  return operands ? String(BigInt(operands[1]) + BigInt(operands[2])) : undefined;
}

function startDrawing() {
  drawing.start(entry);
  at('picture').value = '';
  at('draw-hint').textContent = entry.drawn_digits
    ? `Draw a number of up to ${entry.drawn_digits.most} digits, with a mouse, a finger or a pen.`
    : 'Draw a picture, with a mouse, a finger or a pen.';
}

/** Ends what is being done; nothing is read before it is asked for again. */
function waitForMore() {
  runs++;
  clearTimeout(reading);
}

function readSoon() {
  waitForMore();
  reading = setTimeout(() => begin(read, 'picture'), READ_MILLISECONDS);
}

async function read(isOvertaken) {
  clearAnswer();
  if (drawing.isEmpty) throw new Error('There is no picture yet: draw one, or choose a file');
  const pixels = drawing.pixels();
  const answer = await showSteps(pixels, isOvertaken, drawing.picture(pixels));
  if (answer === undefined) return;
  at('verdict').className = '';
  at('verdict').textContent = `picture → ${answer}`;
  await showBest(pixels, isOvertaken);
}

async function readFile(isOvertaken) {
  const [file] = at('picture').files;
  if (!file) return;
  clearAnswer();
  drawing.clear();
  await drawing.open(file, isOvertaken);
  if (!isOvertaken()) await read(isOvertaken);
}

function clearDrawing() {
  waitForMore();
  clear();
  startDrawing();
}

function bars({token: chosen, probabilities}) {
  const item = document.createElement('li');
  item.append(Object.assign(document.createElement('b'), {textContent: shown(chosen)}));
  for (const [token, share] of probabilities.toSorted((a, b) => b[1] - a[1]).slice(0, 4)) {
    const bar = item.appendChild(document.createElement('div'));
    bar.className = 'bar';
    const cells = ['code', 'div', 'span'].map(name => bar.appendChild(document.createElement(name)));
    cells[0].textContent = shown(token);
    cells[1].append(Object.assign(document.createElement('i'), {style: `width: ${100 * share}%`}));
    cells[2].textContent = percent(share);
  }
  return item;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

async function askMany(isOvertaken) {
  at('many-result').textContent = '';
  at('many-wrong').replaceChildren();
  at('many-progress').hidden = false;
  try {
    let right = 0, spent = 0;
    const number = () => Math.floor(Math.random() * 10 ** entry.digits);
    for (let asked = 0; asked < SUMS; asked++) {
      const [a, b] = [number(), number()];
      const started = performance.now();
      const answer = await model.answer(`${a}+${b}`);
      spent += performance.now() - started;
      if (answer === String(a + b)) right++;
      else {
        const text = `${a}+${b} → ${answer}, right: ${a + b}`;
        at('many-wrong').append(Object.assign(document.createElement('li'), {className: 'wrong', textContent: text}));
      }
      if (asked % 50 === 0) {
        at('many-progress').value = asked;
        await pause(0);
      }
      if (isOvertaken()) return;
    }
    at('many-result').textContent =
      `${right.toLocaleString('en')} of ${SUMS.toLocaleString('en')} right, ${(spent / SUMS).toFixed(2)} ms each`;
  } finally {
    at('many-progress').hidden = true;
  }
}

async function write(isOvertaken) {
  const options = {
    temperature: at('temperature').valueAsNumber, topK: at('top-k').valueAsNumber, length: at('length').valueAsNumber,
  };
  const prompt = at('prompt').value;
  let isStopped = false;
  at('stop').onclick = () => { isStopped = true; };
  at('stop').disabled = false;
  at('written').textContent = prompt;
  at('speed').textContent = '';
  const started = performance.now();
  let steps = 0, count = 0;
  try {
    for await (const character of model.write(prompt, options)) {
      at('written').append(character);
      if (character) count++;
      if (++steps % 8 === 0) await pause(0);
      if (isOvertaken()) return;
      if (isStopped) break;
    }
    const rate = Math.round(1000 * count / (performance.now() - started));
    at('speed').textContent = `${isStopped ? 'Stopped after' : 'Wrote'} ${count} characters, ${rate} a second.`;
  } finally {
    // Else the focus would be lost with the button.
    if (document.activeElement === at('stop')) at('write-button').focus();
    at('stop').disabled = true;
  }
}

function showError(id, message) {
  at(`${id}-error`).textContent = message;
  if (message) at(id).setAttribute('aria-invalid', 'true');
  else at(id).removeAttribute('aria-invalid');
}
