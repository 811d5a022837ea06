/** Charts of the last hour with one cursor, and marks for what happened: their reason where one points at them. */
import uPlot from 'uplot';
import type { PageField, PageMark } from '../protocol/page.js';
import { byId, make, say } from './dom.js';
import { type Column, type Hour, shownS, single } from './hour.js';
import { AT_LINES, bytes, clock, count, type Known, ms } from './words.js';

interface Line {
  readonly field: PageField;
  readonly name: string;
}
/** How a value is written. */
interface Unit {
  readonly text: (value: Known) => string;
  /** At a line of the grid. */
  readonly atLine: (value: number) => string;
}
interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly unit: Unit;
  /** Between two lines of its grid there is one of these. */
  readonly steps?: number[];
}

/** 1 KiB to 8 TiB: of what is counted in them no other step is a round one. */
const BINARY = Array.from({ length: 34 }, (_none, i) => 2 ** (i + 10));

const COUNT: Unit = { text: count, atLine: AT_LINES.count };
const MS: Unit = { text: ms, atLine: AT_LINES.ms };
const BYTES: Unit = { text: bytes, atLine: AT_LINES.bytes };
const PROCESSORS: Unit = { text: (value) => value?.toFixed(2) ?? '–', atLine: AT_LINES.count };

const CHARTS: readonly Chart[] = [
  { title: 'Requests per second', lines: [{ field: 'requests', name: 'requests' }], unit: COUNT },
  { title: 'Answers of 5xx per second', lines: [{ field: 'errors', name: '5xx' }], unit: COUNT },
  {
    title: 'Latency',
    lines: [
      { field: 'p50Ms', name: 'p50' },
      { field: 'p99Ms', name: 'p99' },
    ],
    unit: MS,
  },
  { title: 'Event loop delay, worst worker', lines: [{ field: 'loopDelayMs', name: 'delay' }], unit: MS },
  { title: 'Memory', lines: [{ field: 'memoryBytes', name: 'resident' }], unit: BYTES, steps: BINARY },
  { title: 'CPU, in processors', lines: [{ field: 'cpu', name: 'CPU' }], unit: PROCESSORS },
  { title: 'Open connections', lines: [{ field: 'connections', name: 'open' }], unit: COUNT },
  { title: 'Waiting to be accepted', lines: [{ field: 'queue', name: 'waiting' }], unit: COUNT },
];
const MARKS: Readonly<
  Record<PageMark['kind'], { readonly sign: string; readonly name: string; readonly color: string }>
> = {
  reload: { sign: '↻', name: 'Reload', color: '--mark' },
  rolledBack: { sign: '↩', name: 'Rolled back', color: '--bad' },
  crash: { sign: '✕', name: 'Crash', color: '--bad' },
  recycled: { sign: '⟳', name: 'Recycled', color: '--mark' },
  scale: { sign: '↕', name: 'Scale', color: '--mark' },
};
const HEIGHT = 170;
/** So near, in pixels, a mark is pointed at. */
const NEAR = 7;
const DASH = [6, 4];

export function nameOf({ kind }: PageMark): string {
  return `${MARKS[kind].sign} ${MARKS[kind].name}`;
}

export class Charts {
  readonly #hour: Hour;
  readonly #drawn: {
    readonly chart: Chart;
    readonly plot: uPlot;
    readonly summary: HTMLElement;
    readonly plate: HTMLElement;
  }[] = [];
  #rangeS = 3600;

  constructor(hour: Hour) {
    this.#hour = hour;
    const place = byId('charts');
    for (const chart of CHARTS) {
      const summary = make('small');
      const plate = make('div', { 'aria-hidden': 'true' });
      place.append(make('figure', {}, make('figcaption', {}, `${chart.title} `, summary), plate));
      this.#drawn.push({ chart, summary, plate, plot: this.#plot(chart, plate) });
    }
    new ResizeObserver(() => this.#fit()).observe(place);
    byId('range').addEventListener('change', (event) => {
      this.#rangeS = Number((event.target as HTMLInputElement).value);
      this.draw();
    });
  }

  draw(): void {
    if (document.hidden) return;
    for (const { chart, plot, summary } of this.#drawn) {
      const columns = chart.lines.map(({ field }) => this.#hour.column(field));
      plot.setData([this.#hour.at, ...columns] as uPlot.AlignedData);
      say(summary, chart.lines.map((line) => this.#summary(line, chart.unit)).join('; '));
    }
  }

  /** Colours are of the theme. */
  repaint(): void {
    for (const { plot } of this.#drawn) plot.redraw(false);
  }

  #shown(): [number, number] {
    const now = Date.now() / 1000;
    return [now - shownS(this.#rangeS, this.#hour.at[0] ?? now, now), now];
  }

  #summary({ field, name }: Line, { text }: Unit): string {
    const from = Date.now() / 1000 - this.#rangeS;
    const known = this.#hour
      .column(field)
      .filter((value, i): value is number => value !== null && this.#hour.at[i]! >= from);
    if (known.length === 0) return `${name}: nothing yet`;
    return `${name}: ${text(this.#hour.last(field))} now, at most ${text(Math.max(...known))}`;
  }

  #plot(chart: Chart, plate: HTMLElement): uPlot {
    const color = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { stroke: color('--faint'), grid: { stroke: color('--line'), width: 0.5 }, ticks: { show: false } };
    const times = (_plot: uPlot, at: number[], _axis: number, _space: number, everyS: number) =>
      at.map((one) => clock(one, everyS < 60));
    const text = (_plot: uPlot, values: number[]) => values.map((value) => chart.unit.atLine(value));
    return new uPlot(
      {
        width: Math.max(200, plate.clientWidth),
        height: HEIGHT,
        cursor: { sync: { key: 'hour' }, drag: { x: false, y: false }, y: false },
        legend: { live: true },
        scales: {
          x: { range: () => this.#shown() },
          y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          { ...axis, space: 80, size: 32, values: times },
          { ...axis, size: 62, values: text, ...(chart.steps && { incrs: chart.steps }) },
        ],
        series: [
          { label: 'Time', value: (_plot, at) => (at === null ? '–' : clock(at)) },
          ...chart.lines.map(({ name }, i) => ({
            label: name,
            stroke: color(i === 0 ? '--one' : '--two'),
            width: 1.5,
            // No line is told by its colour alone.
            ...(i > 0 && { dash: DASH }),
            points: { show: false, size: 4, filter: (plot: uPlot, line: number) => single(plot.data[line] as Column) },
            value: (_plot: uPlot, value: number | null) => chart.unit.text(value),
          })),
        ],
        hooks: { draw: [(plot) => this.#drawMarks(plot)], setCursor: [(plot) => this.#point(plot)] },
      },
      [[], ...chart.lines.map(() => [])],
      plate,
    );
  }

  #drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const style = getComputedStyle(document.documentElement);
    ctx.save();
    ctx.textAlign = 'center';
    // What was drawn before may have been dashed.
    ctx.setLineDash([]);
    for (const mark of this.#hour.marks) {
      const x = plot.valToPos(mark.at, 'x', true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const { sign, color } = MARKS[mark.kind];
      ctx.strokeStyle = style.getPropertyValue(color).trim();
      ctx.fillStyle = ctx.strokeStyle;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + 12 * devicePixelRatio);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText(sign, x, bbox.top + 10 * devicePixelRatio);
    }
    ctx.restore();
  }

  #point(plot: uPlot): void {
    const { left = -1 } = plot.cursor;
    const tip = byId('tip');
    // The others follow, and point at nothing by themselves.
    if (!plot.over.matches(':hover')) {
      if (!document.querySelector('.u-over:hover')) tip.hidden = true;
      return;
    }
    const near = this.#hour.marks.filter((mark) => Math.abs(plot.valToPos(mark.at, 'x') - left) <= NEAR);
    tip.hidden = near.length === 0;
    if (near.length === 0) return;
    say(tip, near.map((mark) => `${clock(mark.at)} ${nameOf(mark)}: ${mark.text}`).join(' · '));
    const box = plot.over.getBoundingClientRect();
    tip.style.left = `${Math.min(box.left + left + 12, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${box.top + 16}px`;
  }

  #fit(): void {
    for (const { plot, plate } of this.#drawn) {
      if (plate.clientWidth > 0) plot.setSize({ width: plate.clientWidth, height: HEIGHT });
    }
  }
}
