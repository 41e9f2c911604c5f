// The page: chooses a model, asks it, and shows what it says.
import {drawCurves} from './chart.js';
import {load} from './models.js';

const SUMS = 1000;
const at = id => document.getElementById(id);
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
const shown = character => ({'': 'end', ' ': '␣', '\n': '↵'})[character] ?? character;

const {models, curves} = await (await fetch('models.json')).json();
let model, entry;
// Counts what was begun: whoever finds another number was overtaken, and stops.
let turn = 0;

for (const each of models) at('model').append(new Option(each.name, each.name));
at('model').addEventListener('change', choose);
at('ask-form').addEventListener('submit', event => { event.preventDefault(); ask(); });
at('write-form').addEventListener('submit', event => { event.preventDefault(); write(); });
at('many').addEventListener('click', askMany);
at('stop').addEventListener('click', () => { turn++; at('stop').disabled = true; });
drawCurves(at('chart'), curves);
await choose();

async function choose() {
  const mine = ++turn;
  entry = models.find(each => each.name === at('model').value);
  at('status').textContent = `Loading ${entry.name} …`;
  at('about').textContent = entry.about;
  at('stop').disabled = true;
  for (const id of ['answer', 'verdict', 'written', 'speed', 'many-result']) at(id).textContent = '';
  for (const id of ['steps', 'many-wrong']) at(id).replaceChildren();
  showError('source', '');
  showError('prompt', '');
  try {
    const loaded = await load(entry);
    if (mine !== turn) return loaded.delete();
    model?.delete();
    model = loaded;
  } catch (error) {
    at('status').textContent = `${entry.name} could not be loaded: ${error.message}`;
    return;
  }
  at('status').textContent = `${entry.name} is ready.`;
  at('pairs').hidden = entry.kind === 'text';
  at('text').hidden = entry.kind !== 'text';
  at('sums').hidden = !entry.digits;
  if (entry.kind === 'text') return;
  at('source-label').textContent = entry.digits ? `A sum, each number of up to ${entry.digits} digits` : 'Source';
  at('source').value = entry.example;
  await ask();
}

async function ask() {
  const mine = ++turn;
  const source = at('source').value;
  at('answer').textContent = at('verdict').textContent = '';
  at('steps').replaceChildren();
  showError('source', '');
  try {
    for await (const step of model.steps(source)) {
      if (mine !== turn) return;
      at('answer').textContent += step.character;
      at('steps').append(bars(step));
      if (!isStill) await pause(120);
    }
  } catch (error) {
    return showError('source', error.message);
  }
  const right = sumOf(source);
  if (right === undefined || mine !== turn) return;
  const isRight = at('answer').textContent === right;
  at('verdict').className = isRight ? 'right' : 'wrong';
  at('verdict').textContent = isRight ? 'is right' : `is wrong: it is ${right}`;
}

function sumOf(source) {
  const operands = entry.digits ? source.match(/^(\d+)\+(\d+)$/) : null;
  return operands ? String(BigInt(operands[1]) + BigInt(operands[2])) : undefined;
}

function bars({character, probabilities}) {
  const item = document.createElement('li');
  item.append(Object.assign(document.createElement('b'), {textContent: shown(character)}));
  for (const [token, share] of probabilities.toSorted((a, b) => b[1] - a[1]).slice(0, 4)) {
    const bar = item.appendChild(document.createElement('div'));
    bar.className = 'bar';
    const cells = ['code', 'div', 'span'].map(name => bar.appendChild(document.createElement(name)));
    cells[0].textContent = shown(token);
    cells[1].append(Object.assign(document.createElement('i'), {style: `width: ${100 * share}%`}));
    cells[2].textContent = `${(100 * share).toFixed(1)}%`;
  }
  return item;
}

async function askMany() {
  const mine = ++turn;
  at('many-wrong').replaceChildren();
  let right = 0, spent = 0;
  const number = () => Math.floor(Math.random() * 10 ** entry.digits);
  for (let asked = 1; asked <= SUMS; asked++) {
    const [a, b] = [number(), number()];
    const started = performance.now();
    const answer = await model.answer(`${a}+${b}`);
    spent += performance.now() - started;
    if (mine !== turn) return;
    if (answer === String(a + b)) right++;
    else {
      const text = `${a}+${b} → ${answer}, right: ${a + b}`;
      at('many-wrong').append(Object.assign(document.createElement('li'), {className: 'wrong', textContent: text}));
    }
    if (asked % 100 === 0) {
      at('many-result').textContent =
        `${right.toLocaleString('en')} of ${asked.toLocaleString('en')} right, ${(spent / asked).toFixed(2)} ms each`;
      await pause(0);
    }
  }
}

async function write() {
  const mine = ++turn;
  const options = {
    temperature: at('temperature').valueAsNumber, topK: at('top-k').valueAsNumber, length: at('length').valueAsNumber,
  };
  const prompt = at('prompt').value;
  showError('prompt', '');
  at('written').textContent = prompt;
  at('speed').textContent = '';
  at('stop').disabled = false;
  const started = performance.now();
  let count = 0;
  try {
    for await (const character of model.write(prompt, options)) {
      if (mine !== turn) break;
      at('written').append(character);
      if (++count % 8 === 0) await pause(0);
    }
  } catch (error) {
    showError('prompt', error.message);
  }
  if (mine === turn) at('stop').disabled = true;
  at('speed').textContent = `${count} characters, ${Math.round(1000 * count / (performance.now() - started))} a second`;
}

function showError(id, message) {
  at(`${id}-error`).textContent = message;
  at(id).toggleAttribute('aria-invalid', false);
  if (message) at(id).setAttribute('aria-invalid', 'true');
}
