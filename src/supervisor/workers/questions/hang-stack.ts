/**
 * Where the JavaScript of a worker hangs: asked of its inspector, which Node starts on SIGUSR1 in a thread of its own, so
 * that it answers while the event loop does not turn. The preload has it listen on loopback, at a port that the system
 * chooses. Called by the workforce before it kills a hung worker; must never keep it from doing so.
 */
import { fileURLToPath } from 'node:url';

export interface HangTarget {
  readonly signal: (signal: 'SIGUSR1') => void;
  /** @returns takes the listener back */
  readonly onStderrLine: (listener: (line: string) => void) => () => void;
}

interface CallFrame {
  readonly functionName: string;
  /** Line and column from 0. */
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

/** Of the inspector's messages those that matter here; answers to commands are neither. */
type Message =
  | { readonly method: 'Debugger.scriptParsed'; readonly params: { readonly scriptId: string; readonly url: string } }
  | { readonly method: 'Debugger.paused'; readonly params: { readonly callFrames: readonly CallFrame[] } };

const MOST_FRAMES = 20;
const END_MS = 5_000;
/**
 * The application may have left a line of its own unfinished before it. Nowhere but on loopback: what an application
 * prints must not have the supervisor connect to another machine.
 */
const LISTENING = /Debugger listening on (ws:\/\/(?:127\.0\.0\.1|\[::1\]):\d+\/[\da-f-]+)$/;

/**
 * Best effort. There is no answer from a worker that is stopped, that is blocked outside of JavaScript (`execSync`), that
 * has a SIGUSR1 handler of its own, or whose inspector was open before. A long regular expression, `JSON.stringify` and
 * `Atomics.wait` do answer. A worker that has answered runs on, its inspector closed; that of another may yet open, so
 * end it. Never rejects, and leaves nothing open on this side.
 *
 * @param timeoutMs after which it is null, in milliseconds
 * @returns the innermost call first, at most 20, lines and columns from 1: `spin (/app/server.js:12:5)`; null where there
 *   was no answer in time
 */
export async function hangStack(target: HangTarget, timeoutMs: number): Promise<readonly string[] | null> {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  let stack: readonly string[] | null = null;
  const asked = ask(target, over.signal, (found) => {
    stack = found;
  });
  try {
    await Promise.race([late, asked]);
  } catch {
    // What was found up to then is what there is.
  } finally {
    clearTimeout(timer);
    over.abort();
  }
  return stack;
}

/** Resolves once the inspector is closed again. */
async function ask(target: HangTarget, over: AbortSignal, tell: (stack: readonly string[]) => void): Promise<void> {
  // Loaded for this alone: Node has no WebSocket of its own before version 22.
  const { default: WebSocket } = await import('ws');
  over.throwIfAborted();
  const url = await inspectorUrl(target, over);
  over.throwIfAborted();
  const socket = new WebSocket(url, { perMessageDeflate: false });
  // That also has a paused worker run on.
  over.addEventListener('abort', () => socket.terminate());
  return new Promise((resolve, reject) => {
    /** The frames do not tell their files on any version; the scripts do, all of them before the first pause. */
    const urls = new Map<string, string>();
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.on('open', () => {
      socket.send('{"id":1,"method":"Debugger.enable"}');
      socket.send('{"id":2,"method":"Debugger.pause"}');
    });
    const hear = ({ method, params }: Message) => {
      if (method === 'Debugger.scriptParsed') urls.set(params.scriptId, params.url);
      if (method !== 'Debugger.paused') return;
      tell(params.callFrames.slice(0, MOST_FRAMES).map((frame) => describe(frame, urls)));
      socket.send('{"id":3,"method":"Debugger.resume"}');
      // Runs inside of the endless loop, and closes this connection with all the rest.
      socket.send('{"id":4,"method":"Runtime.evaluate","params":{"expression":"process._debugEnd()"}}');
    };
    socket.on('message', (text) => {
      try {
        hear(JSON.parse(String(text)) as Message);
      } catch (error) {
        // Whoever it is, it is no inspector: what an event listener throws would end the supervisor.
        reject(error);
      }
    });
  });
}

/** Whether it is one of an inspector on loopback: what a worker says must not have the supervisor connect elsewhere. */
export function isInspectorUrl(url: string): boolean {
  return /^ws:\/\/127\.0\.0\.1:\d{1,5}\/[\da-f-]{1,64}$/.test(url);
}

/** Closes the inspector with all its connections; a worker that stands at a breakpoint runs on. Never rejects. */
export async function endInspector(url: string): Promise<void> {
  const { default: WebSocket } = await import('ws');
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise<void>((resolve) => {
    const late = setTimeout(() => socket.terminate(), END_MS);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      resolve();
    });
    socket.on('open', () => {
      socket.send('{"id":1,"method":"Debugger.enable"}');
      socket.send('{"id":2,"method":"Debugger.setBreakpointsActive","params":{"active":false}}');
      socket.send('{"id":3,"method":"Debugger.resume"}');
      socket.send('{"id":4,"method":"Runtime.evaluate","params":{"expression":"process._debugEnd()"}}');
    });
  });
}

/** Settles when the worker has told it, or never. */
function inspectorUrl({ signal, onStderrLine }: HangTarget, over: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const forget = onStderrLine((line) => {
      const found = LISTENING.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    over.addEventListener('abort', forget);
    signal('SIGUSR1');
  });
}

function describe({ functionName, location }: CallFrame, urls: ReadonlyMap<string, string>): string {
  const file = fileOf(urls.get(location.scriptId) || '<anonymous>');
  return `${functionName || '(anonymous)'} (${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`;
}

/** A script may call itself what it likes, files on other machines included: those stay as they are. */
function fileOf(url: string): string {
  try {
    return url.startsWith('file:') ? fileURLToPath(url) : url;
  } catch {
    return url;
  }
}
