/**
 * What the supervisor tells, as it comes. Read by hand and not by EventSource, which cannot say why it was refused. A connection
 * that is lost is made again, ever more slowly, and at once when the browser is back on its network.
 */
import type { PageEvents } from '../protocol/page.js';

const FIRST_MS = 500;
const LONGEST_MS = 15_000;
/** The supervisor says something each second. */
const SILENCE_MS = 5_000;

export interface Listener {
  on<K extends keyof PageEvents>(event: K, data: PageEvents[K]): void;
  /**
   * @param waitMs until it is tried again
   * @param told what it says why it does not answer; null where it says nothing
   */
  lost(waitMs: number, told: string | null): void;
  /** The token is wanted, or there is none to be had. */
  refused(statusCode: number): void;
}

export async function listen(listener: Listener): Promise<void> {
  for (let wait = FIRST_MS; ; wait = Math.min(LONGEST_MS, wait * 2)) {
    const control = new AbortController();
    let told: string | null = null;
    try {
      const answer = await fetch('/feed', { signal: control.signal, cache: 'no-store' });
      if (answer.status === 401 || answer.status === 403) {
        listener.refused(answer.status);
        return;
      }
      if (!answer.ok) told = ((await answer.json()) as { readonly error?: string }).error ?? null;
      else if (answer.body !== null) {
        await read(answer.body, control, (event, data) => {
          wait = FIRST_MS / 2;
          listener.on(event as keyof PageEvents, JSON.parse(data));
        });
      }
    } catch {
      // Lost, whichever way.
    }
    control.abort();
    const waitMs = wait * (0.75 + Math.random() / 2);
    listener.lost(waitMs, told);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, waitMs);
      addEventListener('online', () => resolve(), { once: true });
    });
  }
}

async function read(
  body: ReadableStream<Uint8Array>,
  control: AbortController,
  onEvent: (event: string, data: string) => void,
): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = '';
  let silent: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      silent = setTimeout(() => control.abort(), SILENCE_MS);
      const { done, value } = await reader.read();
      clearTimeout(silent);
      if (done) return;
      const events = (rest + value).split('\n\n');
      rest = events.pop() ?? '';
      for (const text of events) {
        const [, event, data] = /event: (\w+)\ndata: (.*)$/.exec(text) ?? [];
        if (event !== undefined && data !== undefined) onEvent(event, data);
      }
    }
  } finally {
    clearTimeout(silent);
  }
}
