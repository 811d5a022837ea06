/**
 * The files of the program that a supervisor still needs once it runs: what is loaded into its workers, and what reads the
 * configuration at a reload. They may go while it runs: holdfast installed inside a release is removed with that release, and an
 * installation in place puts another version there. So they can be kept, compressed, in memory, and are put into the
 * runtime folder when they are needed.
 *
 * The runtime folder must be one that only its user can write to.
 */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { ownFile, ownPackage } from './own-package.js';

const ROOT = ownFile('.');
const WORKER_FILES = ['package.json', 'dist/worker/package.json', 'dist/worker/preload.js', 'dist/worker/measure.js'];
const PROGRAM = 'dist/program';
/** Packages that a reader of the configuration loads. */
const PACKAGES = ['croner'];
const PACKAGE_FOLDER = 'node_modules';
/** Whose change says that the whole has changed. */
const TELLING = ['package.json', 'dist/worker/preload.js', 'dist/program/prepare.cjs'];

interface Kept {
  /** path → text */
  files: () => Readonly<Record<string, string>>;
  readonly version: string;
  /** Of the files as they were. */
  readonly marks: string | null;
  /** Where the copy goes. */
  readonly folder: string;
  /** The same of the copy; null where there is none yet. */
  copyMarks: string | null;
}

let kept: Kept | null = null;

/**
 * A file of the package, by its path from the package's root, where it can be read now.
 *
 * @param near folder of a release, which may have the same version of holdfast installed
 * @throws where the files are gone and cannot be put anywhere else
 */
export function programFile(file: string, near?: string): string {
  return path.join(kept === null ? ROOT : placeOf(kept, near), file);
}

/**
 * Whether the package lies within an application's own folder, as `npm install` puts it there.
 *
 * @param script the application's entry file; as the package's root, without symbolic links
 */
export function isWithinApplication(root: string, script: string): boolean {
  const at = root.indexOf(`${path.sep}node_modules${path.sep}`);
  return at !== -1 && script.startsWith(root.slice(0, at) + path.sep);
}

/** Where the package is, without symbolic links. */
export function ownRoot(): string {
  return realpathSync(ROOT);
}

/**
 * From the moment of the call on the files stay, whatever becomes of them on disk.
 *
 * @param folder where a copy goes when it is needed; nobody else may use that name
 * @returns gives them up
 * @throws where they cannot be read
 */
export function keepProgram(folder: string): () => void {
  const marks = marksOf(ROOT);
  const names = readdirSync(path.join(ROOT, PROGRAM)).filter((name) => name.endsWith('.cjs'));
  const paths = [...WORKER_FILES, ...names.map((name) => path.join(PROGRAM, name))];
  const own = paths.map((file) => [file, path.join(ROOT, file)] as const);
  const all = [...own, ...PACKAGES.flatMap(packageFiles)];
  const files = Object.fromEntries(all.map(([file, from]) => [file, readFileSync(from, 'utf8')]));
  // One of a supervisor that was killed.
  rmSync(folder, { recursive: true, force: true });
  const keeping: Kept = { files: () => files, version: ownPackage().version, marks, folder, copyMarks: null };
  kept = keeping;
  // Where that fails they stay as they are.
  void pack(files)
    .then((unpack) => (keeping.files = unpack))
    .catch(() => {});
  return () => {
    kept = null;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // A file system that has become read-only keeps it.
    }
  };
}

/** Its manifest and its entry: where a copy of the program finds it, and where it is. */
function packageFiles(name: string): [file: string, from: string][] {
  const { resolve } = createRequire(import.meta.url);
  const manifest = resolve(`${name}/package.json`);
  const root = path.dirname(manifest);
  const place = (from: string) => path.join(PACKAGE_FOLDER, name, path.relative(root, from));
  return [manifest, resolve(name)].map((from) => [place(from), from]);
}

/** As brotli of a JSON object: a fraction of the memory, for months. */
async function pack(files: Readonly<Record<string, string>>): Promise<Kept['files']> {
  // Of no use to most supervisors.
  const { brotliCompress, brotliDecompressSync, constants } = await import('node:zlib');
  const params = { [constants.BROTLI_PARAM_QUALITY]: 5 };
  const packed = await promisify(brotliCompress)(JSON.stringify(files), { params });
  return () => JSON.parse(brotliDecompressSync(packed).toString('utf8'));
}

function placeOf(kept: Kept, near: string | undefined): string {
  if (marksOf(ROOT) === kept.marks) return ROOT;
  if (kept.copyMarks !== null && marksOf(kept.folder) === kept.copyMarks) return kept.folder;
  const files = kept.files();
  const other = near === undefined ? null : sameProgramIn(near, kept.version, files);
  if (other !== null) return other;
  write(kept.folder, files);
  kept.copyMarks = marksOf(kept.folder);
  return kept.folder;
}

/** The same version, to the letter: another one may speak in another way. */
function sameProgramIn(folder: string, version: string, files: Readonly<Record<string, string>>): string | null {
  try {
    const root = realpathSync(path.join(folder, 'node_modules/holdfast'));
    const found = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { readonly version?: unknown };
    const names = readdirSync(path.join(root, PROGRAM)).filter((name) => name.endsWith('.cjs'));
    // Its packages are wherever npm has put them.
    const own = Object.entries(files).filter(([file]) => !file.startsWith(PACKAGE_FOLDER));
    const isSame = own.every(([file, text]) => readFileSync(path.join(root, file), 'utf8') === text);
    return found.version === version && names.length + WORKER_FILES.length === own.length && isSame ? root : null;
  } catch {
    return null;
  }
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  const made = `${folder}.new`;
  for (const one of [made, folder]) rmSync(one, { recursive: true, force: true });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(made, file)), { recursive: true, mode: 0o700 });
    writeFileSync(path.join(made, file), text, { mode: 0o600, flag: 'wx' });
  }
  renameSync(made, folder);
}

/** What changes with the files: replacing one changes its number, writing it in place its time. null where one is not there. */
function marksOf(root: string): string | null {
  const marks = TELLING.map((file) => {
    const found = statSync(path.join(root, file), { throwIfNoEntry: false });
    return found?.isFile()
      ? `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs} ${found.uid} ${found.mode}`
      : null;
  });
  return marks.includes(null) || !lstatSync(root).isDirectory() ? null : marks.join('\n');
}
