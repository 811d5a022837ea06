/** What a reload would change: the present release against the one that would come. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Config } from '../../config/config.js';
import type { State } from '../../core/state/types.js';
import type { Change, ControlResult } from '../../protocol/control.js';
import { spawning } from '../../spawn.js';
import type { Release } from './release.js';
import type { Releases } from './releases.js';

/** Told by other means, or not at all: the values of variables and arguments may be secrets. */
const APART: readonly (keyof Config)[] = ['env', 'args', 'script', 'cwd'];

/** @param node the version of Node on disk, and the one that runs */
export function changesBetween(
  before: Release,
  after: Release,
  node: { readonly running: string; readonly onDisk: string },
): Change[] {
  const changes: Change[] = [];
  const add = (what: Change['what'], name: string, from: string | null, to: string | null) => {
    if (from !== to) changes.push({ what, name, from, to });
  };
  for (const name of Object.keys(after.config) as (keyof Config)[]) {
    if (!APART.includes(name)) add('option', name, shown(before.config[name]), shown(after.config[name]));
  }
  if (JSON.stringify(before.config.args) !== JSON.stringify(after.config.args)) {
    changes.push({ what: 'option', name: 'args', from: null, to: null });
  }
  const { env: old } = before.config;
  const { env: fresh } = after.config;
  for (const name of new Set([...Object.keys(old), ...Object.keys(fresh)])) {
    if (old[name] === fresh[name]) continue;
    const set = (env: Readonly<Record<string, string>>) => (env[name] === undefined ? null : 'set');
    changes.push({ what: 'environment', name, from: set(old), to: set(fresh) });
  }
  add('script', 'script', before.script, after.script);
  if (before.script === after.script && before.fingerprint !== after.fingerprint) {
    changes.push({ what: 'script', name: 'contents', from: 'as it was', to: 'changed on disk' });
  }
  add('folder', 'cwd', before.cwd, after.cwd);
  add('node', 'node', node.running, node.onDisk);
  return changes;
}

/** What a reload would change; nothing is kept of it. Never rejects. */
export async function whatWouldChange(releases: Releases, state: State): Promise<ControlResult> {
  try {
    const present = releases.of(state, state.stable);
    const onDisk = await nodeOnDisk();
    const changes = changesBetween(present, await releases.peek(), { running: process.version, onDisk });
    const count = changes.length === 1 ? '1 change' : `${changes.length} changes`;
    return { ok: true, message: changes.length === 0 ? 'nothing would change' : count, reason: null, changes };
  } catch (error) {
    return { ok: false, message: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Workers run whatever lies at the path of the supervisor's own Node: it may have been updated since. */
export async function nodeOnDisk(): Promise<string> {
  const { stdout } = await spawning(() => promisify(execFile)(process.execPath, ['--version'], { timeout: 5_000 }));
  return stdout.trim();
}

function shown(value: Config[keyof Config]): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
