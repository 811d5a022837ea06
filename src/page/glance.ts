/** The figures at the top, each with its last hour as a line. */
import type { PageField } from '../protocol/page.js';
import { byId, make, say } from './dom.js';
import { type Column, HOUR_S, type Hour, shownS } from './hour.js';
import { share } from './states.js';
import { bytes, count, ms, percent } from './words.js';

const WIDTH = 120;
const HEIGHT = 28;
const SVG = 'http://www.w3.org/2000/svg';

interface Tile {
  readonly name: string;
  readonly text: (hour: Hour) => string;
  readonly column: (hour: Hour) => Column;
}

const of = (name: string, field: PageField, text: (value: number | null) => string): Tile => ({
  name,
  text: (hour) => text(hour.last(field)),
  column: (hour) => hour.column(field),
});

const TILES: readonly Tile[] = [
  of('requests/s', 'requests', count),
  {
    name: 'answers with 5xx',
    text: (hour) => percent(share(hour.last('errors'), hour.last('requests'))),
    column: (hour) => hour.column('errors').map((errors, i) => share(errors, hour.column('requests')[i] ?? null)),
  },
  of('p99 latency', 'p99Ms', ms),
  of('memory', 'memoryBytes', bytes),
  of('processors', 'cpu', (value) => value?.toFixed(2) ?? '–'),
  of('connections', 'connections', count),
];

export class Glance {
  readonly #tiles = TILES.map((tile) => {
    const value = make('b');
    const path = document.createElementNS(SVG, 'path');
    const picture = document.createElementNS(SVG, 'svg');
    picture.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute('preserveAspectRatio', 'none');
    picture.setAttribute('aria-hidden', 'true');
    picture.append(path);
    byId('glance').append(make('li', {}, value, make('span', {}, tile.name), picture));
    return { tile, value, path };
  });

  show(hour: Hour): void {
    for (const { tile, value, path } of this.#tiles) {
      say(value, tile.text(hour));
      path.setAttribute('d', lineOf(hour.at, tile.column(hour)));
    }
  }
}

function lineOf(at: readonly number[], values: Column): string {
  const now = at.at(-1) ?? 0;
  const wholeS = shownS(HOUR_S, at[0] ?? now, now);
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0));
  let path = '';
  let pen = 'M';
  for (const [i, value] of values.entries()) {
    if (value === null) {
      pen = 'M';
      continue;
    }
    const x = WIDTH * (1 - Math.min(1, (now - at[i]!) / wholeS));
    const place = `${x.toFixed(1)} ${(HEIGHT - 2 - (HEIGHT - 4) * (value / most)).toFixed(1)}`;
    // One that stands alone is a dot.
    path += pen === 'M' ? `M${place}L${place}` : `L${place}`;
    pen = 'L';
  }
  return path;
}
