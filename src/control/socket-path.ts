/** Where a supervisor's control socket lies, and whether somebody listens on it. */
import { statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { EXIT, HoldfastError } from '../errors.js';

/** `sun_path` without its closing zero byte: 108 on Linux (unix(7)), 104 on the BSDs and macOS. */
const PATH_LIMIT_BYTES = process.platform === 'linux' ? 107 : 103;
const SUFFIX = '.sock';
/** Of a supervisor, as the configuration demands it. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/**
 * @throws HoldfastError BAD_NAME for a name that cannot be that of a file
 */
export function controlSocketPath(dir: string, name: string): string {
  if (name === '' || /[/\\\p{Cc}]/u.test(name)) {
    throw new HoldfastError(
      'BAD_NAME',
      `cannot use the name ${JSON.stringify(name)}: it cannot be the name of a file`,
      {
        hint: 'use letters, digits, dots, dashes and underscores',
        exitCode: EXIT.usage,
      },
    );
  }
  return path.join(path.resolve(dir), name + SUFFIX);
}

/** The supervisor's name, where the file's name is that of a control socket. What is called otherwise is somebody else's. */
export function nameOfSocket(file: string): string | null {
  const name = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : '';
  return NAME.test(name) ? name : null;
}

/**
 * @throws HoldfastError PATH_TOO_LONG when the system cannot bind or connect a unix socket there
 */
export function checkPathLength(file: string): void {
  const bytes = Buffer.byteLength(file);
  if (bytes <= PATH_LIMIT_BYTES) return;
  const reason = `its path has ${bytes} bytes, and a unix socket's may have ${PATH_LIMIT_BYTES}`;
  throw new HoldfastError('PATH_TOO_LONG', `cannot open control socket ${file}: ${reason}`, {
    hint: 'use a shorter --name, or set HOLDFAST_RUNTIME_DIR to a folder with a shorter path',
    exitCode: EXIT.usage,
  });
}

/** `refused` is what a killed process leaves, `missing` is no file at all. */
export type Absence = 'refused' | 'missing';

/**
 * Whether a process listens on the socket.
 * What cannot be told (no rights, a full queue) counts as listening.
 */
export function probeSocket(file: string): Promise<'listening' | Absence> {
  // Before a start there is none as a rule, and what connects takes milliseconds to load.
  if (isMissing(file)) return Promise.resolve('missing');
  return new Promise((resolve) => {
    const socket = net.connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve('listening');
    });
    socket.once('error', (error) => resolve(absence(error) ?? 'listening'));
  });
}

/** False where that cannot be told. */
function isMissing(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** null for an error that does not mean that nobody listens. */
export function absence(error: unknown): Absence | null {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
  return code === 'ECONNREFUSED' || code === 'ENOTSOCK' ? 'refused' : null;
}
