/**
 * Types of the public API inside the application's process: what the preload leaves there, and what applications give to it.
 * Published with the package, so nothing else is here.
 */
import type { Socket } from 'node:net';

/** Why a worker goes: another one takes its place, or its place is no more. */
export type DrainReason = 'replaced' | 'stopping';

/** Where the preload leaves its `WorkerApi` on `globalThis`, for the public API in the application. */
export type WorkerApiSymbol = 'holdfast.worker';

/** What an application is told when its worker begins to drain. */
export interface DrainEvent {
  readonly reason: DrainReason;
  /** How long open connections have, in milliseconds, from when the drain began. */
  readonly windowMs: number;
  /** Aborted when the window is over. */
  readonly signal: AbortSignal;
  /** The application closes its WebSockets and other upgraded connections itself: holdfast leaves them alone. */
  keepUpgraded(): void;
}

/** May take its time: the drain is not over before it has settled, or the window is. */
export type DrainHandler = (event: DrainEvent) => void | Promise<void>;

/**
 * What the successor needs to go on with a conversation over TCP that is no HTTP; undefined keeps it where it is for the moment.
 * Called only while nothing waits to be sent or read; what comes from then on is the successor's.
 */
export type HandoverHandler = (socket: Socket) => Uint8Array | string | undefined;

/** A registry of prom-client. */
export interface MetricsRegistry {
  getMetricsAsJSON(): Promise<readonly object[]>;
}

/** A text in the format of Prometheus. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface WorkerApi {
  readonly name: string;
  readonly slot: number;
  readonly generation: number;
  /** Incarnations are counted through all slots. */
  readonly worker: number;
  isDraining(): boolean;
  /** The same as `process.send('ready')`. */
  ready(): void;
  /** @returns takes the handler back */
  onDrain(handler: DrainHandler): () => void;
  onHandover(handler: HandoverHandler): void;
  /** Its metrics are collected beside those of prom-client's default registry. */
  addRegistry(registry: MetricsRegistry): void;
  /** Those of all workers, and of holdfast. */
  metrics(): Promise<MetricsText>;
  /** What the predecessor passed on with a connection; undefined for those of clients that have just come. */
  handedOver(socket: Socket): Buffer | undefined;
}
