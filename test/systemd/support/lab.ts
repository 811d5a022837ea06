/** A systemd of the test's own, in namespaces; see `systemd-lab`. Needs Linux and root. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const SCRIPT = fileURLToPath(new URL('../systemd-lab', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Lab {
  readonly run: Run;
  /** What it leaves behind, but for the packages that every one of them needs. */
  readonly dir: string;
}

/** Words for the lab; what goes wrong is in the answer. */
export type Run = (words: readonly string[], input?: string) => Promise<Ran>;

const DIR = process.env.SYSTEMD_LAB_DIR ?? path.join(tmpdir(), 'systemd-lab.d');

/** @param net `host`: what listens inside is there outside, too */
export function openLab(prefix: string, net: 'private' | 'host' = 'private'): Lab {
  // Of its own also where tests of two checkouts run at once.
  const name = `${prefix}-${process.pid}`;
  const { NODE_OPTIONS: _loaders, NODE_V8_COVERAGE: _coverage, ...env } = process.env;
  const bound = `${ROOT}:${path.dirname(process.execPath)}`;
  const settings = { SYSTEMD_LAB_NAME: name, SYSTEMD_LAB_DIR: DIR, SYSTEMD_LAB_BIND: bound, SYSTEMD_LAB_NET: net };
  return {
    dir: path.join(DIR, name),
    async run(words, input = '') {
      const child = spawn(SCRIPT, words, { env: { ...env, ...settings }, cwd: '/' });
      // Who has ended already reads nothing: why it has is told by its exit.
      child.stdin.on('error', () => {}).end(input);
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      return { code: code as number, stdout, stderr };
    },
  };
}

/** Boots it until the end of the test. @returns why it cannot be had, or null */
export async function bootLab(t: Pick<Test, 'teardown'>, { run, dir }: Lab): Promise<string | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a systemd of its own needs Linux and root';
  const { code, stderr } = await run(['up']);
  t.teardown(async () => {
    await run(['down']);
    rmSync(dir, { recursive: true, force: true });
  });
  return code === 0 ? null : `no systemd of its own: ${stderr.trim()}`;
}
