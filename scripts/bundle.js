// Bundles the program into dist/program/: a command that loads 5 files starts in half the time of one that loads 150.
//
// What every start needs is in the bundle, its libraries included, with their licences beside it. What few need (coloured
// logs, metrics, the help, file watching, cron expressions, rotation) is loaded from its package when it is asked for.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { rolldown } from 'rolldown';
import { minifySync } from 'rolldown/utils';
import { inAscii, lighter, withoutCopies } from './chunk-text.js';
import { licences } from './licences.js';
import { inLines, linesOnly } from './source-lines.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = path.join(root, 'dist/program');
/** For programs beside a supervisor: `holdfast/client` and the like. */
const API = { client: 'src/api/client.ts', supervisor: 'src/api/supervisor.ts' };
/** What is run, and what is loaded by its name. */
const ENTRIES = {
  begin: 'src/cli/begin.ts',
  main: 'src/cli/main.ts',
  prepare: 'src/cli/prepare/prepare.ts',
  dispatch: 'src/cli/command-line/dispatch.ts',
  ...Object.fromEntries(Object.entries(API).map(([name, file]) => [`api-${name}`, file])),
};
/** Development dependencies that get in, each as a file of its own with what it depends on. */
const LIBRARIES = ['pidusage', 'pino', 'yaml', 'zod'];
/** What every command needs, `start` included, and what needs nothing in turn: one file instead of a dozen. */
const COMMON =
  /\/src\/(?:errors|nearest|latency|replaced-slots|spawn|cli\/(?:output\/(?:report-error|table)|process\/(?:context|leave|node-options|stack-traces))|config\/(?:file\/config-name|logical-cwd|schema\/duration)|control\/(?:client\/(?:answer-reader|exchange)|options\/(?:(?:describe|profile|reload)-options|log-query)|server\/name-claim|runtime-dir|server-sent-events|socket-path)|platform\/own-(?:package|program)|protocol\/logs|supervisor\/(?:takeover\/orphans\/(?:orphans|own-orphans|snapshot)|workers\/channel\/message-shape))\.ts$/;
/** What a supervisor knows of the machine, and few commands do. */
const MACHINE =
  /\/src\/(?:native\/[-\w]+|control\/lean-http|core\/adoption\/overlap|platform\/(?:connect|probe)|sockets\/(?:address\/(?:address|owner)|bind\/(?:bind|bind-error)|handles\/(?:handle|stream-pair)|program)|supervisor\/upgrade\/(?:dry-run|passed-state))\.ts$/;
/** What the commands need that ask a supervisor: opening a file takes longer than reading what is not needed of it. */
const COMMAND =
  /\/(?:src\/(?:cli\/(?:command-line\/(?:catalog|dispatch|parse)|commands\/(?:reload|request|restart|scale|status|stop)|output\/(?:quantity|status-view))|control\/client\/(?:client|find))\.ts$|node_modules\/yargs-parser\/)/;
/** What few processes load, and these for some time: compressed, each behind a file that unpacks it. */
const PACKED = new Set(
  [
    'admin api-client api-supervisor archives arrival attach-server check-upgrade completion dashboard describe-view detach doctor end-orphans file-history help init',
    'lib-pidusage lib-yaml live-progress logs manifest native observer page-feed parent profile programs reaper replaced',
    'resolve shared-answer tallies top topics unit upgrade upgrade-arrival',
  ].flatMap((names) => names.split(' ')),
);
const UNPACK = `'use strict';module._compile(require('node:zlib').brotliDecompressSync(require('node:fs').readFileSync(__filename+'.br')).toString(),__filename);\n`;
/** Names of classes stay, and those of methods: a trace has them, and file and line of the source beside. */
const NAMES = { class: true, function: false };
const SHORT = {
  compress: { keepNames: NAMES },
  mangle: { toplevel: true, keepNames: NAMES },
  codegen: { removeWhitespace: true },
};
/** As ES modules are: what would be ignored throws. */
const STRICT = "'use strict';";
const SOURCE_MAPPING = /\n\/\/# sourceMappingURL=.*\s*$/;

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

/** holdfast reads YAML and never writes it, and of version 1.2: a file that says 1.1 is read as that. */
const readsYaml = {
  name: 'reads-yaml',
  transform(code, id) {
    if (!/\/node_modules\/yaml\/browser\/dist\/(?:stringify|schema\/yaml-1\.1)\/(?!merge\.js$)/.test(id)) return null;
    if (id.endsWith('/schema.js'))
      return { code: `export { schema } from '../core/schema.js';`, map: { mappings: '' } };
    const [, names] = /^export \{ (.*) \};$/m.exec(code) ?? [];
    if (names === undefined) throw new Error(`cannot leave out ${id}: it is not known what it exports`);
    return {
      code: names
        .split(', ')
        .map((name) => `export const ${name} = undefined;`)
        .join('\n'),
      map: { mappings: '' },
    };
  },
};

/** pino writes to one stream here, and never by a thread. What it asks Node for without need takes milliseconds to load. */
const leftOut = {
  name: 'left-out',
  transform(code, id) {
    if (/\/node_modules\/(?:pino\/lib\/tools|sonic-boom\/index)\.js$/.test(id)) return loadsLess(code, id);
    const [, what] = /\/node_modules\/(pino\/lib\/(?:transport|multistream))\.js$/.exec(id) ?? [];
    return what === undefined
      ? null
      : {
          code: `module.exports = () => { throw new Error('cannot use ${what}: it is left out'); };`,
          map: { mappings: '' },
        };
  },
};

function loadsLess(code, id) {
  const less = code
    .replace("const { isMainThread } = require('worker_threads')", 'const isMainThread = true')
    .replace("const assert = require('assert')", "const assert = (...given) => require('assert')(...given)");
  if (less === code) throw new Error(`cannot have ${id} load less: it is not known what it loads`);
  return { code: less, map: { mappings: '' } };
}

/**
 * @param others files of libraries that are in other parts of the package
 * @throws where a library would get in that nobody has chosen
 */
export async function bundle(others) {
  const build = await rolldown({
    cwd: root,
    input: ENTRIES,
    platform: 'node',
    // Where others import what is in it, it has that for them: no second file between.
    preserveEntrySignatures: 'allow-extension',
    // As ES modules, of which what nobody calls is left out. Its package would take 50 ms longer to load, and a reload has to
    // read its file also where the installation is gone: see src/platform/own-program.ts.
    resolve: { alias: { yaml: path.join(root, 'node_modules/yaml/browser/dist/index.js') } },
    plugins: [shortLibraries, readsYaml, leftOut],
    external: (id) => installed.some((name) => id === name || id.startsWith(`${name}/`)),
  });
  const { output } = await build.generate({
    dir: out,
    // Loads faster than ES modules do, and can be forgotten: see src/cli/prepare/prepared-config.ts.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    sourcemap: true,
    sourcemapExcludeSources: true,
    comments: false,
    minify: SHORT,
    banner: STRICT,
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      groups: [
        ...LIBRARIES.map((name) => ({ name: `lib-${name}`, test: new RegExp(`/node_modules/${name}/`) })),
        { name: 'common', test: COMMON },
        { name: 'command', test: COMMAND },
        { name: 'machine', test: MACHINE },
        { name: 'log', test: /\/src\/logs\/(?:history|lines\/(?:filter|levels|pretty)|sinks\/(?:outlet|sink))\.ts$/ },
        { name: 'flags', test: /\/src\/config\/(?:options|schema\/[-\w]+|layers\/(?:layer|flags|split-words))\.ts$/ },
        // The admin address reads a token, and nothing else of a configuration.
        { name: 'token-file', test: /\/src\/config\/text\/(?:text|token)-file\.ts$/ },
        { name: 'load', test: /\/src\/(?:config\/load|cli\/(?:commands\/start|output\/pm2-notes))\.ts$/ },
        { name: 'top', test: /\/src\/cli\/(?:top\/|(?:commands\/top|output\/runs)\.ts$)/ },
      ],
    },
  });
  await build.close();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const file of output) if (file.type === 'chunk') writeChunk(file);
  writeFileSync(
    path.join(out, 'LICENSES.txt'),
    licences([...Object.keys(Object.assign({}, ...output.map(({ modules }) => modules))), ...others]),
  );
  return output;
}

/**
 * The public API for `require`: the same once more, as it keeps nothing that must be there only once.
 *
 * @param output of the program
 */
export async function writeCommonJsApi(output) {
  const build = await rolldown({ cwd: root, input: 'src/index.ts', platform: 'node' });
  await build.write({ file: path.join(root, 'dist/index.cjs'), format: 'cjs' });
  await build.close();
  const typesOf = (name) => readFileSync(path.join(root, `dist/${name}.d.ts`), 'utf8');
  // What these import of their own folder is found while it grows.
  const types = new Set(['index', 'public', 'errors', ...Object.keys(API).map((name) => `api/${name}`)]);
  for (const name of types) {
    for (const [, other] of typesOf(name).matchAll(/from '\.\/([-\w]+)\.js'/g))
      types.add(path.join(path.dirname(name), other));
  }
  const texts = [...types].map((name) => [name, typesOf(name)]);
  const protocol = messageTypes(typesOf);
  const all = texts.map(([, text]) => text).join('\n');
  for (const [name, text] of [...texts, ['protocol', declarationsFor(all, protocol)]]) {
    writeFileSync(path.join(root, `dist/${name}.d.cts`), commonJs(text));
  }
  // The same types for both kinds of modules, and once in the package.
  writeFileSync(path.join(root, 'dist/index.d.mts'), `export * from './index.cjs';\n`);
  writeApi(output);
}

/** Of all files about messages, in one and without comments, which are in the sources: only a part of them is published. */
function messageTypes(typesOf) {
  const files = readdirSync(path.join(root, 'dist/protocol')).filter((file) => file.endsWith('.d.ts'));
  return files
    .map((file) => typesOf(`protocol/${path.basename(file, '.d.ts')}`))
    .map((text) => text.replaceAll(/^import type [^;]+ from '\.\/[^;]+;\n|^ *\/\*\*[\s\S]*?\*\/\n/gm, ''))
    .map((text) => text.replaceAll("'../", "'./"))
    .join('');
}

function commonJs(text) {
  return text
    .replaceAll(/'(\.{1,2})\/protocol\/\w+\.js'/g, "'$1/protocol.js'")
    .replaceAll(/'(\.{1,2}\/[^']+)\.js'/g, "'$1.cjs'");
}

/** Those that are needed by others: what workers and supervisor say to each other is nobody else's. */
function declarationsFor(others, text) {
  const parts = text.split(/^(?=export )/m);
  const wordsOf = (part) => new Set(part.match(/\w+/g));
  const nameOf = (part) => /^export (?:declare )?(?:interface|type|const) (\w+)/m.exec(part)?.[1];
  const used = new Set();
  let words = wordsOf(others);
  for (let before = -1; before !== used.size; ) {
    before = used.size;
    for (const part of parts) if (nameOf(part) === undefined || words.has(nameOf(part))) used.add(part);
    words = wordsOf(others + [...used].join(''));
  }
  return parts.filter((part) => used.has(part)).join('');
}

/**
 * CommonJS that ES modules import as well, so that an error is of the same class for all; made of the program's files, most of
 * which it needs.
 */
function writeApi(output) {
  const folder = path.join(root, 'dist/api');
  for (const name of Object.keys(API)) {
    const { modules } = output.find((file) => file.isEntry && file.name === `api-${name}`);
    const names = `{ ${modules[path.join(root, API[name])].renderedExports.toSorted().join(', ')} }`;
    writeFileSync(
      path.join(folder, `${name}.cjs`),
      `const ${names} = require('../program/api-${name}.cjs');\nmodule.exports = ${names};\n`,
    );
    writeFileSync(path.join(folder, `${name}.mjs`), `import api from './${name}.cjs';\nexport const ${names} = api;\n`);
    // So are its types.
    writeFileSync(path.join(folder, `${name}.d.mts`), `export * from './${name}.cjs';\n`);
  }
}

function writeChunk({ fileName, code, map, modules }) {
  const file = path.join(out, fileName);
  const own = Object.keys(modules).filter((id) => id.startsWith(`${root}src/`));
  const write = PACKED.has(path.basename(fileName, '.cjs')) ? writePacked : writeFileSync;
  if (own.length === 0) {
    write(file, inAscii(minifySync(fileName, code).code));
    return;
  }
  const lined = inLines(fileName, code.replace(SOURCE_MAPPING, ''), decode(map.mappings));
  write(file, `${lighter(lined.code)}\n`);
  // Read where something has gone wrong; as text they would be an eighth of the package.
  const text = JSON.stringify(linesOnly({ ...map, mappings: encode(lined.mappings) }));
  writeFileSync(`${file}.map.br`, brotliCompressSync(text));
}

function writePacked(file, code) {
  writeFileSync(file, UNPACK);
  writeFileSync(`${file}.br`, brotliCompressSync(code));
}

/**
 * What runs in a worker, in one file: it begins sooner by a third of plain Node's start than with a file for every module. The
 * preload stays readable, with its map beside it: a trace in an application may lead there.
 */
export async function bundleWorker() {
  const folder = path.join(root, 'dist/worker');
  for (const name of ['preload', 'measure', 'trial']) {
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
    // No application ever sees the trial, which is the doctor's, and few the measurements.
    if (name === 'trial') writePacked(file, minifySync(fileName, code).code);
    else if (name !== 'preload') writeFileSync(file, minifySync(fileName, code).code);
    else {
      writeFileSync(file, withoutCopies(code));
      writeFileSync(`${file}.map`, JSON.stringify({ ...linesOnly(map), file: fileName }));
    }
  }
}
