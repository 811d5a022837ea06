/** Whether another version of holdfast or of Node is on disk by now than the one that runs. Never rejects. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { nodeOnDisk } from '../deployments/changes.js';
import type { SelfStart } from './upgrader.js';

export interface Versions {
  readonly holdfast: string;
  readonly node: string;
}

/** Of what differs, the one on disk; null where nothing does. Pure. */
export function whatIsNew(running: Versions, onDisk: Versions): Partial<Versions> | null {
  const isOther = { holdfast: running.holdfast !== onDisk.holdfast, node: running.node !== onDisk.node };
  if (!isOther.holdfast && !isOther.node) return null;
  return { ...(isOther.holdfast && { holdfast: onDisk.holdfast }), ...(isOther.node && { node: onDisk.node }) };
}

const nodeAtStart = markOf(process.execPath);

/** @param version of holdfast, that runs */
export async function installedSince(self: SelfStart | string, version: string): Promise<Partial<Versions> | null> {
  const running = { holdfast: version, node: process.version };
  const holdfast = typeof self === 'string' ? version : (versionAt(self.script) ?? version);
  // It is only asked where it is another file.
  const node = markOf(process.execPath) === nodeAtStart ? running.node : await nodeOnDisk().catch(() => running.node);
  return whatIsNew(running, { holdfast, node });
}

/** Of the package whose program that is. */
function versionAt(script: string): string | null {
  try {
    const manifest = path.join(path.dirname(realpathSync(script)), '../package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version?: unknown };
    return typeof version === 'string' ? version : null;
  } catch {
    return null;
  }
}

function markOf(file: string): string | null {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev} ${found.ino} ${found.mtimeMs}`;
}
