/**
 * Stack traces that name the sources. The program is bundled, with a compressed map of its lines beside each file: Node's own
 * support for such maps would read them all at every start, here one is read when a trace shows its file.
 */
import { readFileSync } from 'node:fs';
import { createRequire, SourceMap, type SourceMapPayload } from 'node:module';
import path from 'node:path';

/** What most processes never need. */
const load = createRequire(import.meta.url);

/** @param folder whose files have maps; frames of other files stay as they are */
export function nameSources(folder: string): void {
  const maps = new Map<string, SourceMap | null>();
  const mapOf = (file: string) => {
    const known = maps.get(file);
    if (known !== undefined) return known;
    const read = path.dirname(file) === folder ? readMap(file) : null;
    maps.set(file, read);
    return read;
  };
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map((frame) => `\n    at ${withSource(frame, mapOf)}`);
    return `${headline(error)}${lines.join('')}`;
  };
}

function withSource(frame: NodeJS.CallSite, mapOf: (file: string) => SourceMap | null): string {
  const text = frame.toString();
  const [file, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
  if (!file || line === null || column === null) return text;
  const entry = mapOf(file)?.findEntry(line - 1, column - 1);
  // Before the first that it knows of a file there is an entry of nothing.
  if (entry === undefined || !('originalSource' in entry) || typeof entry.originalSource !== 'string') return text;
  const source = path.resolve(path.dirname(file), entry.originalSource);
  return text.replace(`${file}:${line}:${column}`, () => `${source}:${entry.originalLine + 1}`);
}

/** A trace is wanted because something has gone wrong: nothing here may go wrong in turn. */
function readMap(file: string): SourceMap | null {
  try {
    const { brotliDecompressSync } = load('node:zlib') as typeof import('node:zlib');
    const map = brotliDecompressSync(readFileSync(`${file}.map.br`)).toString();
    return new SourceMap(JSON.parse(map) as SourceMapPayload);
  } catch {
    return null;
  }
}

function headline(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
}
