/** holdfast's own file for what PM2's file has. Pure. */
import path from 'node:path';
import type { Application } from '../file/applications.js';
import type { Note } from '../pm2/translate.js';
import type { SettingName } from '../schema/schema.js';
import { asListItem, commentLines, type Line, yamlLines } from './yaml-file.js';

export interface Places {
  /** Where PM2's paths begin. */
  readonly cwd: string;
  /** Where the new file will be. */
  readonly folder: string;
  /** PM2's file, as the owner named it. */
  readonly from: string;
  /** Whose variables are in it: `production`; null for none. */
  readonly environment: string | null;
}

/** In the order in which one reads them. */
const FIRST: readonly SettingName[] = ['name', 'script', 'args', 'cwd', 'interpreter', 'nodeArgs', 'env', 'instances'];
/** Relative to the file in holdfast's own. */
const PATHS: readonly string[] = ['cwd', 'logFile'];

export function fileFromPm2(applications: readonly Application[], places: Places): string {
  const head = [
    ...commentLines(
      `From ${path.basename(places.from)}, PM2's file. Where a comment names one of its keys, it means something else here.`,
    ),
    ...commentLines('To check it: holdfast check FILE; to see every option: holdfast start --help'),
    '',
  ];
  const parts = applications.map((application) => applicationLines(application, places));
  const body =
    parts.length === 1
      ? (parts[0] ?? [])
      : ['apps:', ...parts.flatMap((part, index) => [...(index > 0 ? [''] : []), ...asListItem(part)])];
  return `${[...head, ...body].join('\n')}\n`;
}

function applicationLines({ layers, notes, isLeftOut }: Application, places: Places): string[] {
  const given = new Map(layers.flatMap((layer) => [...layer.given]));
  const told = new Set<Note>();
  const options = new Map<string, Line>();
  for (const [name, { path: at, raw }] of given) {
    const note = notes.find(({ key, verdict }) => verdict === 'other' && (at.endsWith(`.${key}`) || at === key));
    if (note !== undefined) told.add(note);
    options.set(name, {
      key: name,
      value: valueFor(name, raw, places),
      comments: note === undefined ? [] : [commentOf(note, places)],
    });
  }
  if (!options.has('cwd') && places.folder !== places.cwd) {
    options.set('cwd', { key: 'cwd', value: relative(places.folder, places.cwd) });
  }
  const order = [
    ...FIRST.filter((name) => options.has(name)),
    ...[...options.keys()].filter((name) => !FIRST.includes(name as SettingName)),
  ];
  const said = new Set<string>();
  const lines = order.map((name) => {
    const line = options.get(name) as Line;
    // A key that has become several options is explained once.
    const comments = (line.comments ?? []).filter((comment) => !said.has(comment));
    for (const comment of comments) said.add(comment);
    return { ...line, comments };
  });
  const rest = notes.filter((note) => note.verdict !== 'taken' && !told.has(note));
  return [
    ...yamlLines(lines),
    ...(isLeftOut ? commentLines('autostart was false: holdfast starts it with the others; without it: --only') : []),
    ...(rest.length === 0
      ? []
      : ['# Not taken over:', ...rest.flatMap((note) => commentLines(`- ${commentOf(note, places)}`))]),
  ];
}

function commentOf({ key, says }: Note, { environment }: Places): string {
  // There is but one environment in this file.
  const isEnvironment = key.startsWith('env_') && key !== `env_${environment}`;
  return `${key}: ${isEnvironment ? `holdfast init --from-pm2 --env ${key.slice(4)} writes it into env` : says}`;
}

function valueFor(name: string, raw: unknown, { cwd, folder }: Places): unknown {
  if (!PATHS.includes(name) || typeof raw !== 'string' || path.isAbsolute(raw)) return raw;
  return relative(folder, path.resolve(cwd, raw));
}

function relative(from: string, to: string): string {
  return path.relative(from, to) || '.';
}
