/**
 * Stack traces that name the sources. The program is bundled, with a map of its lines beside each file: Node's own support
 * for such maps would read them all at every start, here one is read when a trace shows its file.
 */
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

const LOCATION = /(file:\/\/[^\s()]+):(\d+):(\d+)/g;

/** @param folder URL of the folder whose files have maps; frames of other files stay as they are */
export function nameSources(folder: string): void {
  const maps = new Map<string, SourceMap | null>();
  const mapOf = (file: string) => {
    const known = maps.get(file);
    if (known !== undefined) return known;
    const read = file.startsWith(folder) ? readMap(file) : null;
    maps.set(file, read);
    return read;
  };
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map((frame) => {
      return `\n    at ${frame.toString().replace(LOCATION, (location, file: string, line: string, column: string) => {
        return sourceOf(mapOf(file), file, Number(line), Number(column)) ?? location;
      })}`;
    });
    return `${headline(error)}${lines.join('')}`;
  };
}

/** A trace is wanted because something has gone wrong: nothing here may go wrong in turn. */
function readMap(file: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${file}.map`), 'utf8')) as SourceMapPayload);
  } catch {
    return null;
  }
}

function sourceOf(map: SourceMap | null, file: string, line: number, column: number): string | null {
  const entry = map?.findEntry(line - 1, column - 1);
  if (entry === undefined || !('originalSource' in entry)) return null;
  return `${new URL(entry.originalSource, file).href}:${entry.originalLine + 1}`;
}

function headline(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
}
