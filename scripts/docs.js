// Writes what is generated of the documentation: docs/reference/*.md, and the table of figures in README.md. Build first.
//
// --check: writes nothing, names what is not up to date, and ends with 1 if there is any. A test runs this.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandsPage } from './docs/commands.js';
import { controlApiPage } from './docs/control-api.js';
import { withFigures } from './docs/figures.js';
import { metricsPage } from './docs/metrics.js';
import { optionsPage } from './docs/options.js';
import { signalsPage } from './docs/signals.js';
import { statusPage } from './docs/status.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file) => readFileSync(`${root}${file}`, 'utf8');

const files = new Map([
  ['docs/reference/options.md', optionsPage()],
  ['docs/reference/commands.md', await commandsPage()],
  ['docs/reference/signals.md', signalsPage()],
  ['docs/reference/status.md', statusPage(read('config/openapi.yaml'))],
  ['docs/reference/metrics.md', metricsPage()],
  ['docs/reference/control-api.md', controlApiPage(read('config/openapi.yaml'))],
  ['README.md', withFigures(read('README.md'), read('docs/benchmarks.md'))],
]);

const stale = [...files].filter(([file, text]) => textOf(file) !== text);
if (process.argv.includes('--check')) {
  for (const [file] of stale) console.error(`${file} is not up to date: npm run docs`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const [file, text] of stale) writeFileSync(`${root}${file}`, text);
}

function textOf(file) {
  try {
    return read(file);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}
