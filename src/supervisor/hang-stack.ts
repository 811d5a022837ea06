/**
 * Where the JavaScript of a worker hangs: asked of its inspector, which Node starts on SIGUSR1 in a thread of its own, so
 * that it answers while the event loop does not turn. The preload has it listen on loopback, at a port that the system
 * chooses.
 */

export interface HangTarget {
  readonly signal: (signal: 'SIGUSR1') => void;
  /** @returns takes the listener back */
  readonly onStderrLine: (listener: (line: string) => void) => () => void;
}

interface CallFrame {
  readonly functionName: string;
  /** Both from 0. */
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber: number };
}

interface Answer {
  readonly method?: string;
  readonly params?: { readonly callFrames?: readonly CallFrame[]; readonly scriptId?: string; readonly url?: string };
}

const MOST_FRAMES = 20;
/** Nowhere but on loopback: what an application prints must not have the supervisor connect to another machine. */
const LISTENING = /^Debugger listening on (ws:\/\/(?:127\.0\.0\.1|\[::1\]):\d+\/[\da-f-]+)$/;

/**
 * Best effort: a loop that is blocked outside of JavaScript, an application with a SIGUSR1 handler of its own or a process
 * that is stopped give no answer. The process is to be ended afterwards: its inspector is left open. Never rejects.
 *
 * @returns the innermost call first, `spin (/app/server.js:12:5)`; null where there was no answer in time
 */
export async function hangStack(target: HangTarget, timeoutMs: number): Promise<readonly string[] | null> {
  let timer: NodeJS.Timeout | undefined;
  const closing: (() => void)[] = [];
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), timeoutMs);
  });
  try {
    return await Promise.race([late, ask(target, closing)]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    for (const close of closing) close();
  }
}

async function ask(target: HangTarget, closing: (() => void)[]): Promise<readonly string[]> {
  const url = new Promise<string>((resolve) => {
    const forget = target.onStderrLine((line) => {
      const found = LISTENING.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    closing.push(forget);
  });
  target.signal('SIGUSR1');
  // Loaded for this alone: Node has no WebSocket of its own before version 22.
  const { default: WebSocket } = await import('ws');
  const socket = new WebSocket(await url, { perMessageDeflate: false });
  closing.push(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the inspector has closed the connection')));
    socket.on('open', () => {
      socket.send('{"id":1,"method":"Debugger.enable"}');
      socket.send('{"id":2,"method":"Debugger.pause"}');
    });
    // The frames do not tell their files on all versions; the scripts do.
    const files = new Map<string, string>();
    socket.on('message', (text) => {
      try {
        const { method, params } = JSON.parse(String(text)) as Answer;
        if (method === 'Debugger.scriptParsed') files.set(params?.scriptId ?? '', params?.url ?? '');
        if (method !== 'Debugger.paused') return;
        resolve((params?.callFrames ?? []).slice(0, MOST_FRAMES).map((frame) => describe(frame, files)));
      } catch (error) {
        // Whoever answers there need not be an inspector; thrown here it would end the supervisor.
        reject(error);
      }
    });
  });
}

function describe({ functionName, location }: CallFrame, files: ReadonlyMap<string, string>): string {
  const file = files.get(location.scriptId)?.replace(/^file:\/\//, '') ?? '';
  return `${functionName || '(anonymous)'} (${file}:${location.lineNumber + 1}:${location.columnNumber + 1})`;
}
