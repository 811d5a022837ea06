/** A systemd of the test's own, in namespaces; see `systemd-lab`. Needs Linux and root. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
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

/** Words for the lab; what goes wrong is in the answer. */
export type Run = (words: readonly string[], input?: string) => Promise<Ran>;

/** @param net `host`: what listens inside is there outside, too */
export function openLab(name: string, net: 'private' | 'host' = 'private'): { readonly run: Run } {
  const { NODE_OPTIONS: _loaders, NODE_V8_COVERAGE: _coverage, ...env } = process.env;
  const bound = `${ROOT}:${path.dirname(process.execPath)}`;
  // Of its own also where tests of two checkouts run at once.
  const settings = { SYSTEMD_LAB_NAME: `${name}-${process.pid}`, SYSTEMD_LAB_BIND: bound, SYSTEMD_LAB_NET: net };
  return {
    async run(words, input = '') {
      const child = spawn(SCRIPT, words, { env: { ...env, ...settings }, cwd: '/' });
      child.stdin.end(input);
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
export async function bootLab(t: Pick<Test, 'teardown'>, run: Run): Promise<string | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a systemd of its own needs Linux and root';
  const { code, stderr } = await run(['up']);
  if (code === 0) t.teardown(() => run(['down']));
  return code === 0 ? null : `no systemd of its own: ${stderr.trim()}`;
}
