// Bundles the program into dist/program/: a command that loads 5 files starts in half the time of one that loads 150.
//
// What every start needs is in the bundle, its libraries included, with their licences beside it. What few need (coloured
// logs, metrics, the help, file watching) is loaded from its package when it is asked for.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { rolldown } from 'rolldown';
import { minifySync } from 'rolldown/utils';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = path.join(root, 'dist/program');
/** What is run, and what is loaded by its name. */
const ENTRIES = {
  begin: 'src/cli/begin.ts',
  main: 'src/cli/main.ts',
  prepare: 'src/cli/prepare.ts',
  dispatch: 'src/cli/dispatch.ts',
};
/** Development dependencies that get in, each as a file of its own with what it depends on. */
const LIBRARIES = ['croner', 'pidusage', 'pino', 'rotating-file-stream', 'yaml', 'zod'];
/** What every command needs, `start` included, and what needs nothing in turn: one file instead of a dozen. */
const COMMON =
  /\/src\/(?:errors|nearest|latency|cli\/(?:context|leave|stack-traces|table|report-error)|config\/(?:duration|logical-cwd)|control\/(?:answer-reader|exchange|runtime-dir|socket-path|reload-options)|platform\/own-package)\.ts$/;
/** What the commands need that ask a supervisor: opening a file takes longer than reading what is not needed of it. */
const COMMAND =
  /\/(?:src\/(?:cli\/(?:catalog|dispatch|parse|quantity|status-view|commands\/(?:reload|request|restart|scale|status|stop))|control\/client)\.ts$|node_modules\/yargs-parser\/)/;
/** As ES modules are: what would be ignored throws. */
const STRICT = "'use strict';";
const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;

const { dependencies, optionalDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const installed = Object.keys({ ...dependencies, ...optionalDependencies });

/** Of a library that shares a file with what is holdfast's own; the others are shortened as files. */
const shortLibraries = {
  name: 'short-libraries',
  transform(code, id) {
    // Without a map, as the other libraries.
    return /\/node_modules\/yargs-parser\//.test(id)
      ? { code: minifySync(id, code).code, map: { mappings: '' } }
      : null;
  },
};

/** @throws where a library would get in that nobody has chosen */
export async function bundle() {
  const build = await rolldown({
    cwd: root,
    input: ENTRIES,
    platform: 'node',
    // Where others import what is in it, it has that for them: no second file between.
    preserveEntrySignatures: 'allow-extension',
    // As ES modules, of which what nobody calls is left out.
    resolve: { alias: { yaml: path.join(root, 'node_modules/yaml/browser/dist/index.js') } },
    plugins: [shortLibraries],
    external: (id) => installed.some((name) => id === name || id.startsWith(`${name}/`)),
  });
  const { output } = await build.generate({
    dir: out,
    // Loads faster than ES modules do, and can be forgotten: see src/cli/prepared-config.ts.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    sourcemap: true,
    sourcemapExcludeSources: true,
    comments: false,
    // The names within functions and classes are shortened.
    minify: { compress: false, mangle: { toplevel: true, keepNames: true }, codegen: { removeWhitespace: true } },
    banner: STRICT,
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      groups: [
        ...LIBRARIES.map((name) => ({ name: `lib-${name}`, test: new RegExp(`/node_modules/${name}/`) })),
        { name: 'common', test: COMMON },
        { name: 'command', test: COMMAND },
        { name: 'top', test: /\/src\/cli\/(?:top\/|commands\/top\.ts$)/ },
      ],
    },
  });
  await build.close();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const file of output) if (file.type === 'chunk') writeChunk(file);
  writeFileSync(path.join(out, 'LICENSES.txt'), licences(output));
}

/** The public API for `require`: the same once more, as it keeps nothing that must be there only once. */
export async function writeCommonJsApi() {
  const build = await rolldown({ cwd: root, input: 'src/index.ts', platform: 'node' });
  await build.write({ file: path.join(root, 'dist/index.cjs'), format: 'cjs' });
  await build.close();
  await writeClientApi();
  const types = ['index', 'public', 'protocol', 'errors', ...readdirSync(path.join(root, 'src/api')).map(typesOfApi)];
  for (const name of types) {
    const text = readFileSync(path.join(root, `dist/${name}.d.ts`), 'utf8');
    writeFileSync(path.join(root, `dist/${name}.d.cts`), text.replaceAll(/'(\.{1,2}\/[^']+)\.js'/g, "'$1.cjs'"));
  }
}

function typesOfApi(file) {
  return `api/${path.basename(file, '.ts')}`;
}

/** For programs beside a supervisor: CommonJS that ES modules import as well, so that an error is of the same class for all. */
async function writeClientApi() {
  const folder = path.join(root, 'dist/api');
  const input = { client: 'src/api/client.ts', supervisor: 'src/api/supervisor.ts' };
  const build = await rolldown({ cwd: root, input, platform: 'node' });
  const { output } = await build.write({
    dir: folder,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'shared.cjs',
    comments: false,
  });
  await build.close();
  for (const { isEntry, name, exports } of output) {
    if (!isEntry) continue;
    const text = `import api from './${name}.cjs';\nexport const { ${exports.join(', ')} } = api;\n`;
    writeFileSync(path.join(folder, `${name}.js`), text);
    rmSync(path.join(folder, `${name}.js.map`), { force: true });
  }
}

function writeChunk({ fileName, code, map, modules }) {
  const file = path.join(out, fileName);
  const own = Object.keys(modules).filter((id) => id.startsWith(`${root}src/`));
  if (own.length === 0) {
    writeFileSync(file, minifySync(fileName, code).code);
    return;
  }
  const lined = inLines(fileName, code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, ''), decode(map.mappings));
  writeFileSync(file, `${lined.code}\n//# sourceMappingURL=${fileName}.map\n`);
  writeFileSync(`${file}.map`, JSON.stringify(linesOnly({ ...map, mappings: encode(lined.mappings) })));
}

/**
 * Code without a space too many, in lines again where its sources have them: a stack trace goes by the lines.
 *
 * @throws where the code would no longer be the same
 */
function inLines(fileName, code, mappings) {
  const lines = [];
  const mapped = [];
  for (const [i, line] of code.split('\n').entries()) {
    let begin = 0;
    let segments = [];
    let sourceLine;
    for (const segment of mappings[i] ?? []) {
      const [column, ...source] = segment;
      const at = `${source[0]}:${source[1]}`;
      // After one of these a line may end wherever a token begins.
      if (at !== sourceLine && column > begin && ';{,'.includes(line[column - 1])) {
        lines.push(line.slice(begin, column));
        mapped.push(segments);
        begin = column;
        segments = [];
      }
      sourceLine = at;
      segments.push([column - begin, ...source]);
    }
    lines.push(line.slice(begin));
    mapped.push(segments);
  }
  const lined = lines.join('\n');
  if (minifySync(fileName, lined).code !== minifySync(fileName, code).code) {
    throw new Error(`cannot divide ${fileName} into lines: it would be another program`);
  }
  return { code: lined, mappings: mapped };
}

/**
 * What runs in a worker, in one file: it begins sooner by a third of plain Node's start than with a file for every module. The
 * preload stays readable; the modules beside it are for the tests.
 */
export async function bundleWorker() {
  const folder = path.join(root, 'dist/worker');
  for (const name of ['preload', 'trial']) {
    const build = await rolldown({ cwd: root, input: `src/worker/${name}.ts`, platform: 'node' });
    const { output } = await build.generate({
      dir: folder,
      format: 'cjs',
      entryFileNames: `${name}.js`,
      sourcemap: true,
      sourcemapExcludeSources: true,
      // They are in the sources, which the map names.
      comments: false,
      banner: STRICT,
    });
    await build.close();
    if (output.some(({ type, fileName }) => type === 'chunk' && fileName !== `${name}.js`)) {
      throw new Error(`cannot bundle the ${name}: it does not fit into one file`);
    }
    const [{ fileName, code, map }] = output;
    const file = path.join(folder, fileName);
    // The trial is the doctor's, and no application ever sees it.
    if (name === 'trial') writeFileSync(file, minifySync(fileName, code).code);
    else {
      writeFileSync(file, code);
      writeFileSync(`${file}.map`, JSON.stringify({ ...linesOnly(map), file: fileName }));
    }
  }
}

/** A stack trace names file and line: a map of that alone is a quarter of the whole one. */
function linesOnly({ version, sources, mappings }) {
  const lines = decode(mappings).map((segments) =>
    segments
      .filter((now, i) => i === 0 || now[1] !== segments[i - 1][1] || now[2] !== segments[i - 1][2])
      .map((segment) => segment.slice(0, 4)),
  );
  return { version, names: [], sources, mappings: encode(lines) };
}

/** The words under which the libraries may be passed on. */
function licences(output) {
  const folders = new Set(
    output.flatMap(({ modules = {} }) => Object.keys(modules).map((id) => PACKAGE.exec(id)?.[0])),
  );
  folders.delete(undefined);
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`cannot bundle ${name}: it has no licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(folder + file, 'utf8').trim()}\n`;
  });
  return `dist/program contains code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
