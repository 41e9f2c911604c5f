// An alignment as a picture: a table of shaded cells, which is read as a table by those who do not see it.

export class Alignment {
  /** An empty picture in a table: a column for each character of the source. */
  constructor(table, characters) {
    this.characters = characters;
    const head = document.createElement('thead');
    const line = head.insertRow();
    line.append(cell('td', ''), ...characters.map(character => heading(character, 'col')));
    this.body = document.createElement('tbody');
    table.replaceChildren(head, this.body);
  }

  /** Adds a token of the answer, and the share that each character of the source has in it. */
  add(token, shares) {
    const line = this.body.insertRow();
    line.append(heading(token, 'row'));
    shares.forEach((share, at) => {
      const percent = `${Math.round(100 * share)}%`;
      const shaded = line.appendChild(cell('td', percent));
      shaded.style.setProperty('--share', percent);
      shaded.title = `${token} from ${this.characters[at]}: ${percent}`;
    });
  }
}

function cell(kind, text) {
  const made = document.createElement(kind);
  made.append(Object.assign(document.createElement('span'), {textContent: text}));
  return made;
}

function heading(text, scope) {
  return Object.assign(document.createElement('th'), {textContent: text, scope});
}
