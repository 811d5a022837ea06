/** `holdfast init`: writes a configuration to go on with. */
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readApplications } from '../../config/file/applications.js';
import { isConfigFile } from '../../config/file/config-name.js';
import { fileFromPm2 } from '../../config/init/from-pm2.js';
import { fileFromScript } from '../../config/init/from-script.js';
import { factsOf, loadConfig, logicalCwd } from '../../config/load.js';
import { ConfigError } from '../../config/schema/fault.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import { type Command, type Context, flagText, type Invocation } from '../process/context.js';

const OUTPUT = 'holdfast.yaml';
const PM2_FILES = [
  ...['js', 'cjs', 'mjs'].map((extension) => `ecosystem.config.${extension}`),
  ...['ecosystem', 'process', 'pm2'].flatMap((name) => ['json', 'yaml', 'yml'].map((end) => `${name}.${end}`)),
  ...['process', 'pm2'].flatMap((name) => ['js', 'cjs', 'mjs'].map((end) => `${name}.config.${end}`)),
];
const SCRIPTS = ['server', 'app', 'index', 'main', 'src/server', 'src/index', 'dist/server', 'dist/index', 'dist/main'];

/** @throws HoldfastError; ConfigError, exit code 2 */
export const run: Command = async (invocation, context) => {
  const cwd = logicalCwd(context.env, context.cwd);
  const output = flagText(invocation, 'output') ?? OUTPUT;
  if (!/\.ya?ml$/i.test(output)) {
    const hint = 'holdfast init writes YAML: --output holdfast.yaml';
    throw new HoldfastError('USAGE', `cannot write ${output}: its name does not end in .yaml`, {
      hint,
      exitCode: EXIT.usage,
    });
  }
  const file = path.resolve(cwd, output);
  if (invocation.flags.env !== undefined && !invocation.flags['from-pm2']) {
    const hint = "holdfast init --from-pm2 --env NAME; variables of a script's go into env of the file";
    throw new HoldfastError('USAGE', "cannot use --env: it is for PM2's file", { hint, exitCode: EXIT.usage });
  }
  const { text, leftOut = [] } = invocation.flags['from-pm2']
    ? await fromPm2(invocation, { cwd, file })
    : { text: await fromScript(invocation, { cwd, file, env: context.env }) };
  await write(
    file,
    text.replaceAll('holdfast check FILE', `holdfast check ${output}`),
    invocation.flags.force === true,
  );
  tellNext(context, output);
  const [first] = leftOut;
  if (first !== undefined) {
    const how = `holdfast init --from-pm2 --env ${first} --force`;
    context.stderr.write(
      `holdfast: without the variables of ${leftOut.map((one) => `env_${one}`).join(', ')}: ${how}\n`,
    );
  }
  return EXIT.done;
};

interface Place {
  readonly cwd: string;
  readonly file: string;
}

async function fromPm2(invocation: Invocation, { cwd, file }: Place) {
  const from = invocation.operand ?? (await firstOf(PM2_FILES, cwd));
  if (from === null) {
    throw new HoldfastError('NOT_FOUND', `cannot find PM2's file in ${cwd}: no file there has a usual name`, {
      hint: 'name it: holdfast init --from-pm2 config/ecosystem.config.cjs',
      exitCode: EXIT.usage,
    });
  }
  // To read a script would be to run it.
  if (!isConfigFile(from)) {
    throw new HoldfastError('USAGE', `cannot translate ${from}: its name is not that of a configuration file`, {
      hint: 'usual names are ecosystem.config.cjs, ecosystem.json and pm2.yaml',
      exitCode: EXIT.usage,
    });
  }
  const facts = factsOf(readResources());
  const environment = flagText(invocation, 'env') ?? null;
  const read = await readApplications(path.resolve(cwd, from), { cwd, environment, facts });
  // Whose they are is for the one who starts them, and is said in the file.
  const faults = [...read.faults, ...read.applications.flatMap((one) => one.faults)].filter(
    ({ path: at }) => !/(?:^|\.)(?:uid|user|gid)$/.test(at),
  );
  if (faults.length > 0) throw new ConfigError(faults);
  if (!read.isPm2s) {
    throw new HoldfastError('NOT_PM2', `cannot translate ${from}: it is a configuration of holdfast already`, {
      hint: `start it as it is: holdfast start ${from}`,
      exitCode: EXIT.usage,
    });
  }
  const text = fileFromPm2(read.applications, { cwd, folder: path.dirname(file), from, environment });
  const keys = environment === null ? read.applications.flatMap(({ notes }) => notes.map(({ key }) => key)) : [];
  const environments = keys.filter((key) => key.startsWith('env_')).map((key) => key.slice(4));
  return { text, leftOut: [...new Set(environments)] };
}

async function fromScript(
  { operand }: Invocation,
  { cwd, file, env }: Place & { readonly env: NodeJS.ProcessEnv },
): Promise<string> {
  if (operand !== undefined && isConfigFile(operand)) {
    throw new HoldfastError('USAGE', `cannot make a configuration from ${operand}: it is a configuration already`, {
      hint: `to translate PM2's file: holdfast init --from-pm2 ${operand}`,
      exitCode: EXIT.usage,
    });
  }
  const resources = readResources();
  // What is in this shell's environment is not for the file.
  const load = (target: string) => loadConfig({ target, args: [], flags: {}, env: { PATH: env.PATH }, cwd, resources });
  const byManifest = operand === undefined ? await hasStartScript(cwd) : null;
  const byName = operand ?? (await firstOf(scriptFiles(), cwd));
  const found = byManifest ?? byName;
  if (found === null) {
    throw new HoldfastError('NOT_FOUND', `cannot find the application in ${cwd}: no script there has a usual name`, {
      hint: 'name it: holdfast init path/to/server.js',
      exitCode: EXIT.usage,
    });
  }
  const loaded = await load(found).catch((error: unknown) => {
    // What `npm start` runs may be for the desk.
    if (found === byName || byName === null) throw error;
    return load(byName);
  });
  const target = loaded.resolved === null && byName !== null ? byName : found;
  const folder = path.dirname(file);
  const here = path.relative(folder, cwd);
  const isCommand = /\s/.test(target);
  const script = isCommand ? target : path.relative(cwd, path.resolve(cwd, target)) || '.';
  return fileFromScript({ name: loaded.config.name, script, cwd: here === '' ? null : here });
}

async function hasStartScript(cwd: string): Promise<string | null> {
  const { manifestIn, scriptOf } = await import('../../config/program/package/manifest.js');
  const manifest = await manifestIn(cwd);
  return manifest !== null && scriptOf(manifest, 'start') !== null ? 'npm start' : null;
}

function scriptFiles(): string[] {
  return SCRIPTS.flatMap((name) => ['.js', '.mjs', '.cjs', '.ts'].map((extension) => name + extension));
}

async function firstOf(files: readonly string[], folder: string): Promise<string | null> {
  for (const file of files) {
    const stats = await stat(path.join(folder, file)).catch(() => null);
    if (stats?.isFile()) return file;
  }
  return null;
}

async function write(file: string, text: string, isForced: boolean): Promise<void> {
  await writeFile(file, text, { flag: isForced ? 'w' : 'wx', mode: 0o644 }).catch((cause: NodeJS.ErrnoException) => {
    const exists = cause.code === 'EEXIST';
    throw new HoldfastError('FILE_UNWRITABLE', `cannot write ${file}: ${exists ? 'it exists already' : cause.code}`, {
      hint: exists ? '--output names another file; --force writes over it' : 'the folder must exist and be writable',
      cause,
    });
  });
}

function tellNext({ stdout }: Context, output: string): void {
  stdout.write(`${output}\n  check     holdfast check ${output}\n  start     holdfast start ${output}\n`);
}
