// The table of README.md that compares holdfast with others: facts from here, figures from docs/benchmarks.md.
import { table } from './markdown.js';

const BEGIN = '<!-- compared: npm run docs -->';
const END = '<!-- /compared -->';

/** The columns, and what each is called in the tables of docs/benchmarks.md. */
const COLUMNS = [
  { title: 'holdfast', rows: ['holdfast'] },
  { title: 'PM2', rows: ['PM2'] },
  { title: 'node:cluster', rows: ['node:cluster, round robin', 'node:cluster, shared handle'] },
  { title: 'systemd units', rows: ['bare processes with `reusePort`'] },
  { title: 'HAProxy before processes', rows: ['HAProxy (leastconn) before bare processes'] },
];

/** @param readme as it is @param benchmarks docs/benchmarks.md @returns the README with its table as it should be */
export function withFigures(readme, benchmarks) {
  const peers = readSection(benchmarks, 'bench:peers');
  const pauses = readSection(benchmarks, 'bench:pauses');
  const rows = [
    ['errors on new connections, 10 reloads under load', ...measured(peers, '10 reloads: errors, new connections')],
    ['errors on keep-alive POSTs, 10 reloads under load', ...measured(peers, 'errors, keep-alive POST')],
    ['errors, 9,000 keep-alive clients that pause, 3 reloads', ...measured(pauses, 'errors')],
    [
      'a release that crashes or is never ready is rolled back',
      'yes',
      'no',
      'no',
      'no',
      'no, but health checks keep clients away',
    ],
    [
      'the supervisor is killed: workers keep serving',
      'yes',
      'no (cluster mode)',
      'no',
      'yes',
      'no: connections end at HAProxy',
    ],
    [
      'slowest 0.1 % of answers, one worker of four blocked',
      ...measured(peers, 'tail: p50 / p99 / p99.9 / max, ms', p999),
    ],
    ['between the kernel and a worker', 'nothing', 'the daemon accepts', 'the primary accepts', 'nothing', 'a proxy'],
    ['CPU for a request on a new connection', ...measured(peers, 'short: µs CPU each', (cell) => `${cell} µs`)],
    ['memory of the supervisor', ...measured(peers, 'supervisor, MB', (cell) => (cell === '–' ? '–' : `${cell} MB`))],
  ];
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error(`cannot write the figures to README.md: it has no ${BEGIN} and ${END}`);
  const compared = table(['', ...COLUMNS.map(({ title }) => title)], rows);
  const note = [
    `- Measured by \`npm run bench:peers\`, ${peers.head}`,
    `- The clients that pause: \`npm run bench:pauses\`, ${pauses.head}`,
    '- For systemd units, bare processes that share a port by SO_REUSEPORT were measured; "–" was not measured.',
    '- [All figures, and how to measure your own machine](docs/benchmarks.md).',
  ].join('\n');
  return `${readme.slice(0, from + BEGIN.length)}\n\n${compared}\n\n${note}\n\n${readme.slice(to)}`;
}

/** A cell for each column: of the first of its rows that was measured, else a dash. */
function measured({ rows }, column, say = (cell) => cell) {
  return COLUMNS.map(({ rows: names }) => {
    const name = names.find((one) => rows.has(one));
    if (name === undefined) return '–';
    const cell = rows.get(name)[column];
    if (cell === undefined) throw new Error(`cannot compare "${column}": docs/benchmarks.md has no such column`);
    return name === names[0] ? say(cell) : `${say(cell)} (${name.replace(/^.*, /, '')})`;
  });
}

const p999 = (cell) => `${cell.split(' / ')[2]} ms`;

/** @returns the line above the table, and its rows by their first cell, each as an object of its columns */
function readSection(text, name) {
  const [, section] = text.split(`<!-- ${name} -->`);
  if (section === undefined) throw new Error(`cannot compare: docs/benchmarks.md has no section ${name}`);
  const lines = section.split(`<!-- /${name} -->`)[0].trim().split('\n');
  const cells = (line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [columns, , ...rows] = lines.filter((line) => line.startsWith('|')).map(cells);
  return {
    head: lines[0],
    rows: new Map(
      rows.map(([first, ...rest]) => [first, Object.fromEntries(rest.map((cell, i) => [columns[i + 1], cell]))]),
    ),
  };
}
