/**
 * The applications of a configuration file: one, whose options stand at the top; several, in `apps`, with what they share at the top; or those
 * of PM2's file.
 */
import path from 'node:path';
import { didYouMean } from '../../nearest.js';
import { COMMAND_LINE } from '../layers/flags.js';
import type { Layer } from '../layers/layer.js';
import { type Facts, KEY_OF_NAME } from '../pm2/keys.js';
import { isPm2File } from '../pm2/recognize.js';
import { type Note, translateApp } from '../pm2/translate.js';
import { type Fault, show } from '../schema/fault.js';
import { readContents, readOptions } from './config-file.js';

export interface Application {
  /** '' where the file has but one, which may do without. */
  readonly name: string;
  /** The same as PM2 has it. */
  readonly givenName: string;
  /** Where it is in the file: `apps[0].`, or '' for all of it. */
  readonly at: string;
  /** From the weakest to the strongest. */
  readonly layers: readonly Layer[];
  readonly faults: readonly Fault[];
  /** What has become of PM2's keys. */
  readonly notes: readonly Note[];
  /** Only started where it is named. */
  readonly isLeftOut: boolean;
}

export interface FileRead {
  readonly isPm2s: boolean;
  /** The working folder of who names none. */
  readonly folder: string;
  readonly applications: readonly Application[];
  /** Of the file as a whole; with one of these there are no applications. */
  readonly faults: readonly Fault[];
}

export interface ReadFrom {
  /** Of who starts: PM2's paths begin there, holdfast's at the file. */
  readonly cwd: string;
  /** `production` for PM2's `env_production`; null for none. */
  readonly environment: string | null;
  readonly facts: Facts;
}

/** PM2's file server, beside the applications. */
const STATIC: Note = {
  key: 'static',
  verdict: 'ignored',
  says: "PM2's file server is part of PM2: npm install serve, and an application with script: serve",
};

/** @param file absolute path */
export async function readApplications(file: string, from: ReadFrom): Promise<FileRead> {
  const contents = await readContents(file);
  const folder = path.dirname(file);
  if ('fault' in contents) return { isPm2s: false, folder, applications: [], faults: [contents.fault] };
  const { value } = contents;
  if (isPm2File(value, file)) return readPm2(value, file, from);
  if (!('apps' in value) || value.apps === undefined) {
    const { layer, faults } = readOptions(value, file);
    const one = { name: '', givenName: '', at: '', layers: [layer], faults, notes: [], isLeftOut: false };
    return { isPm2s: false, folder, applications: [one], faults: [] };
  }
  return readOwn(value as Readonly<Record<string, unknown>>, file);
}

/** Those that are to be started, or why not. */
export function chooseApplications(
  { applications }: FileRead,
  only: readonly string[] | null,
): { readonly chosen: readonly Application[]; readonly faults: readonly Fault[] } {
  if (only === null) {
    const chosen = applications.filter(({ isLeftOut }) => !isLeftOut);
    if (chosen.length > 0) return { chosen, faults: [] };
    const allowed = `must name one: autostart is false for all of them (${applications.map(({ name }) => name).join(', ')})`;
    return { chosen, faults: [{ source: COMMAND_LINE, path: '--only', value: null, allowed }] };
  }
  const has = ({ name, givenName }: Application, word: string) => word === name || word === givenName;
  const isOne = (word: string) => applications.some((application) => has(application, word));
  // Spaces separate as well; but a name of PM2 may have some.
  const words = only.flatMap((word) => (isOne(word) ? [word] : word.split(/\s+/)));
  const names = applications.map(({ name }) => name).filter((name) => name !== '');
  const faults = words
    .filter((word) => !isOne(word))
    .map((word) => {
      const allowed =
        names.length === 0
          ? 'must not be given: the file has one application, without a name'
          : `must be of the file's applications: ${names.join(', ')}${didYouMean(word, names)}`;
      return { source: COMMAND_LINE, path: '--only', value: show(word), allowed };
    });
  return { chosen: applications.filter((application) => words.some((word) => has(application, word))), faults };
}

/** Two of one name: the second would find it taken. */
export function repeatedNames(applications: readonly Application[], file: string): Fault[] {
  return applications.flatMap(({ name, at }, index) => {
    const first = applications.findIndex((other) => other.name === name);
    const other = applications[first];
    if (name === '' || first === index || other === undefined) return [];
    const allowed = `must be another one: ${other.at.slice(0, -1)} has it, and each supervisor has a name of its own`;
    return [{ source: file, path: `${at}name`, value: show(name), allowed }];
  });
}

function readOwn(contents: Readonly<Record<string, unknown>>, file: string): FileRead {
  const folder = path.dirname(file);
  const { apps, ...top } = contents;
  if (!isListOfApps(apps)) {
    const allowed = 'must be a list of at least one application: [{ name: api, script: api.js }]';
    return {
      isPm2s: false,
      folder,
      applications: [],
      faults: [{ source: file, path: 'apps', value: show(apps), allowed }],
    };
  }
  const shared = readOptions(top, file);
  const faults = [...shared.faults];
  if (shared.layer.given.has('name')) {
    faults.push({ source: file, path: 'name', value: null, allowed: 'must stand in each of apps, not beside it' });
  }
  const applications = apps.map((app, index) => {
    const at = `apps[${index}].`;
    const { layer, faults: own } = readOptions(app, file, at);
    const name = layer.given.get('name')?.raw;
    const unnamed = { source: file, path: `${at}name`, value: null, allowed: 'must be given where there are several' };
    const isMissing = name === undefined && apps.length > 1;
    const text = typeof name === 'string' ? name : '';
    return {
      name: text,
      givenName: text,
      at,
      layers: [shared.layer, layer],
      faults: [...faults, ...own, ...(isMissing ? [unnamed] : [])],
      notes: [],
      isLeftOut: false,
    };
  });
  return { isPm2s: false, folder, applications, faults: [] };
}

function readPm2(contents: object, file: string, { cwd, environment, facts }: ReadFrom): FileRead {
  const isList = Array.isArray(contents);
  const top: Readonly<Record<string, unknown>> = isList ? { apps: contents } : { ...contents };
  const key = 'apps' in top ? 'apps' : 'pm2' in top ? 'pm2' : null;
  const apps = key === null ? [top] : Array.isArray(top[key]) ? top[key] : [top[key]];
  const hasOne = key !== null || Object.keys(top).some((name) => KEY_OF_NAME.has(name));
  if (!hasOne || !isListOfApps(apps)) {
    const allowed = `must be a list of at least one application: [{ name: "api", script: "api.js" }]`;
    const fault = { source: file, path: key ?? 'apps', value: key === null ? null : show(top[key]), allowed };
    return { isPm2s: true, folder: cwd, applications: [], faults: [fault] };
  }
  const deployed = environment === null ? {} : deployedVariables(top.deploy, environment);
  const applications = apps.map((app, index) => {
    const at = key === null ? '' : isList ? `[${index}].` : `${key}[${index}].`;
    const { given, faults, notes, ...rest } = translateApp(app, { at, environment, deployed, facts });
    return {
      ...rest,
      at,
      layers: [{ source: file, base: cwd, given }],
      notes: index === 0 && 'static' in top ? [...notes, STATIC] : notes,
      faults: faults.map((fault) => ({ source: file, ...fault })),
    };
  });
  return { isPm2s: true, folder: cwd, applications, faults: [] };
}

function isListOfApps(apps: unknown): apps is readonly Readonly<Record<string, unknown>>[] {
  const isApp = (app: unknown) => typeof app === 'object' && app !== null && !Array.isArray(app);
  return Array.isArray(apps) && apps.length > 0 && apps.every(isApp);
}

/** `deploy.production.env`: of `pm2 deploy`, and of a start with that environment. */
function deployedVariables(deploy: unknown, environment: string): Readonly<Record<string, unknown>> {
  const of = (value: unknown, key: string) =>
    typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
  const env = of(of(deploy, environment), 'env');
  return typeof env === 'object' && env !== null ? (env as Readonly<Record<string, unknown>>) : {};
}
