// An alignment as a picture: a table of shaded cells, which is read as a table by those who do not see it.

export class Alignment {
  /** An empty one in a table: a column for each part of the source, over its picture, {url, proportion}, if it has one. */
  constructor(table, parts, picture) {
    this.parts = parts;
    const head = document.createElement('thead');
    const line = head.insertRow();
    line.append(cell('td', ''), ...parts.map(part => heading(part, 'col')));
    table.classList.toggle('picture', picture !== undefined);
    if (picture) {
      table.style.setProperty('--picture', `url("${picture.url}")`);
      table.style.setProperty('--proportion', picture.proportion);
    }
    table.style.setProperty('--parts', parts.length);
    this.body = document.createElement('tbody');
    table.replaceChildren(head, this.body);
  }

  /** Adds a token of the answer, and the share that each part of the source has in it. */
  add(token, shares) {
    const line = this.body.insertRow();
    line.append(heading(token, 'row'));
    shares.forEach((share, at) => {
      const percent = `${Math.round(100 * share)}%`;
      const shaded = line.appendChild(cell('td', percent));
      shaded.style.setProperty('--share', percent);
      shaded.style.setProperty('--part', at);
      shaded.title = `${token} from ${this.parts[at]}: ${percent}`;
    });
  }
}

function cell(kind, text) {
  const made = document.createElement(kind);
  made.append(Object.assign(document.createElement('span'), {textContent: text}));
  return made;
}

function heading(text, scope) {
  return Object.assign(cell('th', text), {scope});
}
