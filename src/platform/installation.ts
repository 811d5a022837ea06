/** Where holdfast and Node lie on this machine, and which systemd it has. Asked by `holdfast unit`. */
import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadNative } from '../native/libc.js';

export interface Installation {
  /** Absolute; symbolic links are kept where they lead here, so that an update of Node is followed. */
  readonly node: string;
  /** Absolute path of the program, symbolic links resolved. */
  readonly holdfast: string;
  /** null where there is none, or it does not tell. */
  readonly systemd: number | null;
  /** Whether libc can be called. */
  readonly hasNative: boolean;
}

/** What a program prints; rejects where it fails or is not there. */
export type Ask = (program: string, args: readonly string[]) => Promise<string>;

const PATIENCE_MS = 5_000;
/** Folders that go with a session or a boot. */
const FLEETING = /^\/(?:run|tmp|var\/tmp|dev|proc)\//;

export async function findInstallation(searchPath: string, ask: Ask = askProgram): Promise<Installation> {
  return {
    node: lastingName(process.execPath, searchPath),
    holdfast: realpathSync(fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url))),
    systemd: await systemdVersion(ask),
    hasNative: loadNative().ok,
  };
}

/** `systemd 254 (254.26-1~bpo12+1)` → 254 */
export async function systemdVersion(ask: Ask): Promise<number | null> {
  for (const program of ['systemctl', 'systemd']) {
    const text = await ask(program, ['--version']).catch(() => '');
    const version = /^systemd (\d+)/m.exec(text)?.[1];
    if (version !== undefined) return Number(version);
  }
  return null;
}

/** The user with this number; as the number itself where the system has no name for it. */
export async function userName(uid: number, ask: Ask = askProgram): Promise<string> {
  const name = await ask('id', ['-nu', String(uid)]).catch(() => '');
  return name.trim() || String(uid);
}

/** The name by which the shell finds this very program, or else its own. */
function lastingName(program: string, searchPath: string): string {
  for (const folder of searchPath.split(path.delimiter)) {
    const candidate = path.join(folder, path.basename(program));
    if (!path.isAbsolute(folder) || FLEETING.test(candidate)) continue;
    try {
      if (realpathSync(candidate) === realpathSync(program)) return candidate;
    } catch {
      // It is not there.
    }
  }
  return program;
}

async function askProgram(program: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(program, [...args], { timeout: PATIENCE_MS })).stdout;
}
