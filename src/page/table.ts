/** A table that is sorted by its heads, and changed in place: what has the focus keeps it. */
import { byId, make, say } from './dom.js';

export interface Column<T> {
  readonly name: string;
  readonly value: (row: T) => number | string | null;
  readonly text: (row: T) => string;
  readonly wraps?: boolean;
  /** Where it leads to; null for nowhere. */
  readonly link?: (row: T) => string | null;
}

export class Table<T> {
  readonly #columns: readonly Column<T>[];
  readonly #keyOf: (row: T) => number | string;
  readonly #heads: HTMLElement[];
  readonly #body = make('tbody');
  readonly #rows = new Map<number | string, { readonly row: HTMLElement; readonly cells: readonly HTMLElement[] }>();
  #by = 0;
  #descending = false;
  #last: readonly T[] = [];
  #markOf: (row: T) => boolean = () => false;

  constructor(id: string, caption: string, columns: readonly Column<T>[], keyOf: (row: T) => number | string) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#heads = columns.map(({ name }, i) => {
      const button = make('button', { type: 'button' }, name);
      button.addEventListener('click', () => this.#sortBy(i));
      return make('th', { scope: 'col' }, button);
    });
    const head = make('thead', {}, make('tr', {}, ...this.#heads));
    byId(id).append(make('caption', { class: 'hidden' }, caption), head, this.#body);
  }

  show(rows: readonly T[], markOf: (row: T) => boolean = () => false): void {
    this.#last = rows;
    this.#markOf = markOf;
    const { value } = this.#columns[this.#by] ?? this.#columns[0]!;
    const sorted = [...rows].sort((a, b) => compare(value(a), value(b)) * (this.#descending ? -1 : 1));
    const keys = new Set(sorted.map(this.#keyOf));
    for (const [key, { row }] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    for (const [at, one] of sorted.entries()) {
      const { row, cells } = this.#rowOf(this.#keyOf(one));
      row.className = markOf(one) ? 'odd' : '';
      for (const [i, { text, link }] of this.#columns.entries()) put(cells[i]!, text(one), link?.(one) ?? null);
      if (this.#body.children[at] !== row) this.#body.insertBefore(row, this.#body.children[at] ?? null);
    }
    for (const [i, head] of this.#heads.entries()) {
      if (i !== this.#by) head.removeAttribute('aria-sort');
      else head.setAttribute('aria-sort', this.#descending ? 'descending' : 'ascending');
    }
  }

  #rowOf(key: number | string) {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const cells = this.#columns.map(({ wraps }, i) =>
      make(i === 0 ? 'th' : 'td', i === 0 ? { scope: 'row' } : wraps ? { class: 'text' } : {}),
    );
    const made = { row: make('tr', {}, ...cells), cells };
    this.#rows.set(key, made);
    return made;
  }

  #sortBy(column: number): void {
    this.#descending = this.#by === column ? !this.#descending : column > 0;
    this.#by = column;
    this.show(this.#last, this.#markOf);
  }
}

function put(cell: HTMLElement, text: string, href: string | null): void {
  const link = cell.querySelector('a');
  if (href === null) {
    link?.remove();
    say(cell, text);
  } else if (link === null) cell.replaceChildren(make('a', { href }, text));
  else {
    say(link, text);
    if (link.getAttribute('href') !== href) link.setAttribute('href', href);
  }
}

function compare(a: number | string | null, b: number | string | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? -1 : 1;
  return a < b ? -1 : 1;
}
