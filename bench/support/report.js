/** Where the figures go: the terminal, and a marked section of a Markdown file of the repository. */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

/** What the figures depend on. @param versions names and versions of other software */
export function machine(versions = []) {
  const memoryGb = Math.round(os.totalmem() / 2 ** 30);
  const cpu = `${os.cpus()[0]?.model.trim()}, ${os.cpus().length} cores, ${memoryGb} GB`;
  return [cpu, `${os.type()} ${os.release()}`, `Node ${process.version}`, ...versions].join(', ');
}

/**
 * Prints tables, and writes them to a file unless NO_WRITE is set.
 *
 * @param file relative to the repository
 * @param section as in its markers
 * @param tables arrays of rows: objects with the same keys, the first of which names the row
 */
export function publish(file, section, head, tables) {
  const dated = `${new Date().toISOString().slice(0, 10)}: ${head}`;
  console.log(`\n${dated}`);
  for (const rows of tables) {
    const named = rows.map((row) => Object.entries(row)).map(([[, name], ...rest]) => [name, Object.fromEntries(rest)]);
    console.table(Object.fromEntries(named));
  }
  if (process.env.NO_WRITE !== undefined) return;
  writeSection(fileURLToPath(new URL(file, root)), section, [dated, ...tables.map(markdownTable)].join('\n\n'));
}

export function markdownTable(rows) {
  const columns = Object.keys(rows[0]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const body = rows.map((row) => line(columns.map((column) => row[column])));
  return [line(columns), line(columns.map(() => '---')), ...body].join('\n');
}

/** Puts `text` between `<!-- name -->` and `<!-- /name -->` of a Markdown file and leaves the rest alone. */
export function writeSection(file, name, text) {
  const before = readFileSync(file, 'utf8');
  const begin = `<!-- ${name} -->`;
  const from = before.indexOf(begin);
  const to = before.indexOf(`<!-- /${name} -->`, from);
  if (from < 0 || to < 0) throw new Error(`cannot write ${name} to ${file}: it has no such section`);
  writeFileSync(file, `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`);
}
