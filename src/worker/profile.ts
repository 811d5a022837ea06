/**
 * Profiles of this very process, by an inspector session within it: no port is opened that another user of the machine could
 * reach. The inspector is loaded when one is asked for, and let go of afterwards. Never throws.
 */
import fs from 'node:fs';
import type { Session } from 'node:inspector';
import type { SupervisorMessage, WorkerMessage } from '../protocol/worker.js';

type Order = Extract<SupervisorMessage, { type: 'profile' }>;
type Outcome = Omit<Extract<WorkerMessage, { type: 'profiled' }>, 'cmd' | 'type' | 'seq'>;

/** What is under way, by the number of its order. */
const underWay = new Map<number, () => void>();

/** Nobody wants it any more: nothing is left of it. */
export function endProfile(seq: number): void {
  underWay.get(seq)?.();
}

export function takeProfile(order: Order, done: (outcome: Outcome) => void): void {
  let file: Sink | null = null;
  let session: Session | null = null;
  let failure: unknown = null;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const end = (error: unknown) => {
    if (ended) return;
    ended = true;
    underWay.delete(order.seq);
    clearTimeout(timer);
    failure ??= error;
    try {
      session?.disconnect();
      file?.close();
    } catch (fault) {
      failure ??= fault;
    }
    done({ ok: failure === null, aside: file?.aside ?? false, detail: failure === null ? '' : reasonOf(failure) });
  };
  /** What is thrown in an answer of the inspector would be the application's uncaught error. */
  const guarded = (act: () => void) => {
    try {
      act();
    } catch (error) {
      end(error);
    }
  };
  underWay.set(order.seq, () => end(new Error('given up')));
  guarded(() => {
    const sink = openSink(order);
    file = sink;
    const inspector: typeof import('node:inspector') = require('node:inspector');
    const opened = new inspector.Session();
    session = opened;
    opened.connect();
    if (order.what === 'heap') {
      opened.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => {
        try {
          // As it comes: a snapshot may be as large as the heap.
          if (failure === null) sink.write(params.chunk);
        } catch (error) {
          failure = error;
        }
      });
      opened.post('HeapProfiler.takeHeapSnapshot', { reportProgress: false }, end);
      return;
    }
    const [begin, finish] =
      order.what === 'cpu'
        ? (['Profiler.start', 'Profiler.stop'] as const)
        : (['HeapProfiler.startSampling', 'HeapProfiler.stopSampling'] as const);
    if (order.what === 'cpu') opened.post('Profiler.enable');
    opened.post(begin, (error) => {
      if (error !== null) return end(error);
      // Keeps nothing alive: a worker that has nothing left to do ends.
      timer = setTimeout(() => {
        guarded(() => {
          opened.post(finish, (error: Error | null, result?: { profile: unknown }) => {
            guarded(() => {
              if (error === null) sink.write(JSON.stringify(result?.profile));
              end(error);
            });
          });
        });
      }, order.forMs);
      timer.unref();
    });
  });
}

/** For a debugger: on loopback, where only who knows the id in the URL can attach. */
export function openInspector(): { readonly url: string; readonly wasOpen: boolean; readonly detail: string } {
  try {
    const inspector: typeof import('node:inspector') = require('node:inspector');
    const present = inspector.url();
    if (present !== undefined) return { url: present, wasOpen: true, detail: '' };
    inspector.open(0, '127.0.0.1');
    return { url: inspector.url() ?? '', wasOpen: false, detail: '' };
  } catch (error) {
    return { url: '', wasOpen: false, detail: reasonOf(error) };
  }
}

interface Sink {
  readonly aside: boolean;
  write(text: string): void;
  close(): void;
}

/**
 * The file that who asks has made, if this process sees that very file and may write to it; else one of its own in the runtime
 * folder, which nobody else may enter.
 */
function openSink({ file, id, spare }: Order): Sink {
  let fd = openSame(file, id);
  const aside = fd === null;
  fd ??= fs.openSync(spare, 'wx', 0o600);
  const opened = fd;
  return {
    aside,
    write(text) {
      for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(fs.writeSync(opened, rest));
    },
    close: () => fs.closeSync(opened),
  };
}

function openSame(file: string, id: string): number | null {
  let fd: number | null = null;
  try {
    // Must not wait, as a pipe at this place would have it.
    fd = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    const { dev, ino } = fs.fstatSync(fd, { bigint: true });
    if (`${dev} ${ino}` === id) return fd;
  } catch {
    // Another user's, read-only, or of another view of the file system.
  }
  if (fd !== null) fs.closeSync(fd);
  return null;
}

function reasonOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return (typeof message === 'string' ? message : String(error)).slice(0, 1024);
}
