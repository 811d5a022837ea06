/** Whether another program would get up in the place of this one: it is asked, beside this one, and has read all that it will be passed. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { spawning } from '../../spawn.js';
import { UPGRADE_VARIABLE } from './passed-state.js';

/** Behind `start`: not offered, and not in the help. */
export const CHECK_FLAG = '--check-upgrade';
const DEADLINE_MS = 60_000;
const MOST_CHARACTERS = 64 * 1024;
const SHOWN_CHARACTERS = 2_000;

/** How it is to be started, but for what is only said to the dry run. */
export interface Candidate {
  readonly node: string;
  readonly nodeArgs: readonly string[];
  readonly script: string;
  /** `start` first. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

export interface Checked {
  readonly version: string;
  readonly nodeVersion: string;
}

export type DryRun = ({ readonly ok: true } & Checked) | { readonly ok: false; readonly reason: string };

/** @param file what it would be passed. Never rejects */
export async function dryRun(
  candidate: Candidate,
  file: string,
  { deadlineMs = DEADLINE_MS }: { readonly deadlineMs?: number } = {},
): Promise<DryRun> {
  const { node, nodeArgs, script, args, env, cwd } = candidate;
  const [start = 'start', ...rest] = args;
  const words = [...nodeArgs, script, start, CHECK_FLAG, ...rest];
  const refused = (reason: string): DryRun => ({ ok: false, reason });
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (result: DryRun) => {
      clearTimeout(timer);
      resolve(result);
    };
    try {
      const child = spawning(() =>
        spawn(node, words, { env: { ...env, [UPGRADE_VARIABLE]: file }, cwd, stdio: ['ignore', 'pipe', 'pipe'] }),
      );
      const stdout = collect(child.stdout);
      const stderr = collect(child.stderr);
      timer = setTimeout(() => {
        child.kill('SIGKILL');
        settle(refused(`it has not said within ${deadlineMs / 1000} s that it would start`));
      }, deadlineMs);
      child.once('error', ({ message }) => settle(refused(message)));
      child.once('close', (code, signal) => settle(judge(code, signal, stdout(), stderr())));
    } catch (error) {
      settle(refused(error instanceof Error ? error.message : String(error)));
    }
  });
}

/** Pure. */
export function judge(code: number | null, signal: string | null, stdout: string, stderr: string): DryRun {
  const said = readAnswer(stdout);
  if (code === 0 && said !== null) return { ok: true, ...said };
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const words = stderr.trim().replace(/^holdfast: /, '');
  const about = words === '' ? '' : `: ${words.slice(-SHOWN_CHARACTERS)}`;
  return { ok: false, reason: code === 0 ? `it does not know what it was asked${about}` : `it ${how}${about}` };
}

/** What it says where it would start, on a line of its own: a configuration that is a program may have printed others. */
export function answerOf(checked: Checked): string {
  return `${JSON.stringify({ upgrade: 'ok', ...checked })}\n`;
}

function readAnswer(stdout: string): Checked | null {
  for (const line of stdout.split('\n').reverse()) {
    try {
      const { upgrade, version, nodeVersion } = (JSON.parse(line) ?? {}) as Readonly<Record<string, unknown>>;
      if (upgrade === 'ok' && typeof version === 'string' && typeof nodeVersion === 'string') {
        return { version, nodeVersion };
      }
    } catch {
      // Not for us.
    }
  }
  return null;
}

function collect(stream: Readable | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(-MOST_CHARACTERS);
  });
  stream?.on('error', () => {});
  return () => text;
}
