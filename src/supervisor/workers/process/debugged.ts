/**
 * Whether a debugger is attached to a worker: one that stands at a breakpoint does not turn its loop, and must not be taken
 * for one that hangs. Node itself writes to standard error when its inspector opens and when somebody attaches, also while
 * JavaScript stands still; whether he is still there only the system tells.
 */
import { readFile } from 'node:fs/promises';
import { parseProcNetTcp } from '../../../sockets/address/owner.js';

const LISTENING = /Debugger listening on ws:\/\/(?:[\d.]+|\[[\da-f:]+\]):(\d+)\//;
const ATTACHED = /Debugger attached\.$/;
const ENDING = /Debugger ending on ws:/;
const TCP_ESTABLISHED = 1;

export class Debugged {
  #port: number | null = null;
  #attached = false;

  /** A line that the worker wrote to standard error. */
  heard(line: string): void {
    const port = LISTENING.exec(line)?.[1];
    if (port !== undefined) this.#port = Number(port);
    else if (ATTACHED.test(line)) this.#attached = true;
    else if (ENDING.test(line)) this.#attached = false;
  }

  /** @param proc where the proc file system is; where there is none, who has attached once counts as attached */
  async isAttached(proc = '/proc'): Promise<boolean> {
    if (!this.#attached) return false;
    if (this.#port === null) return true;
    try {
      const tables = await Promise.all(
        ['tcp', 'tcp6'].map((name) => readFile(`${proc}/net/${name}`, 'utf8').catch(() => '')),
      );
      if (tables.every((table) => table === '')) return true;
      const rows = tables.flatMap((table) => parseProcNetTcp(table));
      return rows.some(({ port, state }) => port === this.#port && state === TCP_ESTABLISHED);
    } catch {
      return true;
    }
  }
}

/** Options by which Node listens for a debugger from its start, given directly or by the environment. */
export function isForDebugging(nodeArgs: readonly string[], nodeOptions: string | undefined): boolean {
  const words = [...nodeArgs, ...(nodeOptions ?? '').split(/\s+/)];
  return words.some((word) => /^--inspect(?:-brk|-wait)?(?:=|$)/.test(word));
}
