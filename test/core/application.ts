/** What an application of some quality does in its process, from its start on. */
import type { Clock } from './clock.js';
import type { SimulatedProcess } from './process.js';

export const QUALITIES = [
  'good',
  'slow',
  'looks',
  'neverReady',
  'crashesAtStart',
  'crashesLater',
  'listensElsewhere',
  'cannotBind',
  'unhealthy',
  'sickens',
  'hangs',
  'leaks',
  'exitsForGood',
  'probes',
  'looksAndDies',
  'reopens',
  'diesYoung',
  'closesItsServer',
] as const;

/** They come up and stay up, each in its way. */
export const GOOD: readonly Quality[] = ['good', 'slow', 'looks', 'probes', 'reopens'];

/** By which an application says that it is not to be replaced. */
export const STOP_EXIT_CODE = 64;
export type Quality = (typeof QUALITIES)[number];

export interface Application {
  readonly quality: Quality;
  readonly ready: 'listening' | 'message' | 'running';
  readonly ports: readonly string[];
}

export function run(process: SimulatedProcess, { quality, ready, ports }: Application, clock: Clock): void {
  const startMs = quality === 'slow' ? clock.between(300, 1_200) : clock.between(0, 100);
  switch (quality) {
    case 'neverReady':
      if (ready === 'message' || clock.happens(0.3)) clock.after(startMs, () => process.open('0.0.0.0:1', false));
      return;
    case 'crashesAtStart':
      if (clock.happens(0.5)) clock.after(startMs, () => process.open(ports[0] ?? '', false));
      clock.after(startMs + clock.between(0, 20), () => process.exit(1, null));
      return;
    case 'cannotBind':
      clock.after(startMs, () => process.tell({ type: 'bindFailed', key: ports[0] ?? '', reason: 'EADDRINUSE' }));
      if (clock.happens(0.5)) clock.after(startMs + 20, () => process.exit(1, null));
      return;
    case 'listensElsewhere':
      clock.after(startMs, () => process.open('0.0.0.0:9999', true));
      break;
    case 'looks':
    case 'looksAndDies': {
      const bootMs = startMs + clock.between(50, 800);
      clock.after(startMs, () => process.open(ports[0] ?? '', true, clock.between(0, 15)));
      if (quality === 'looksAndDies') clock.after(bootMs, () => process.exit(3, null));
      else for (const key of ports) clock.after(bootMs, () => process.open(key, true));
      break;
    }
    case 'probes':
      // Until it says that it is ready, nobody takes a look for the server itself.
      if (ready === 'message') {
        for (const key of ['127.0.0.1:80', '0.0.0.0:7']) process.look(key);
      }
      for (const [index, key] of ports.entries()) clock.after(100 + index, () => process.open(key, true));
      break;
    default:
      for (const [index, key] of ports.entries()) {
        clock.after(startMs + index * clock.between(0, 150), () => process.open(key, true));
      }
  }
  const readyMs = quality === 'probes' ? 150 : startMs;
  if (ready === 'message') clock.after(readyMs + clock.between(0, 200), () => process.tell({ type: 'saidReady' }));
  if (quality === 'crashesLater') clock.after(startMs + clock.between(100, 3_000), () => process.exit(1, null));
  if (quality === 'diesYoung') clock.after(startMs + clock.between(250, 400), () => process.exit(1, null));
  if (quality === 'closesItsServer')
    clock.after(startMs + clock.between(100, 3_000), () => {
      for (const key of [...process.accepts]) process.close(key);
    });
  // Another server answers until it is up.
  if (quality === 'reopens') clock.after(startMs + clock.between(250, 700), () => process.reopenSome(200));
  if (quality === 'hangs') clock.after(startMs + clock.between(100, 3_000), () => process.hang());
  if (quality === 'leaks') clock.after(startMs + clock.between(500, 5_000), () => process.exceed());
  if (quality === 'exitsForGood')
    clock.after(startMs + clock.between(50, 3_000), () => process.exit(STOP_EXIT_CODE, null));
}
