/** What a configuration expects of a worker that serves, in the words of those who watch over it. */
import type { Config } from '../../config/config.js';
import type { CanaryLimits } from '../../core/plan/canary.js';
import type { Limits } from '../../core/restarts/recycling.js';
import { isForDebugging } from '../workers/process/debugged.js';

/** @param size how many slots there are */
export function limitsOfWorker(config: Config, size: number): Limits & { readonly hangTimeoutMs: number } {
  const { maxMemoryTotalBytes: total, maxRequests, maxAgeMs, maxEventLoopDelayMs } = config;
  // At a breakpoint the event loop stands still, and nobody wants that to end the session. A program cannot be asked.
  const nodeOptions = config.env.NODE_OPTIONS ?? process.env.NODE_OPTIONS;
  const hangTimeoutMs = config.exec || isForDebugging(config.nodeArgs, nodeOptions) ? 0 : config.hangTimeoutMs;
  const maxMemoryBytes = total === null ? config.maxMemoryBytes : Math.floor(total / size);
  return { maxMemoryBytes, maxRequests, maxAgeMs, maxEventLoopDelayMs, hangTimeoutMs };
}

export function limitsOfCanary(config: Config): CanaryLimits {
  return {
    // Its exit and its health are all that a program tells.
    minRequests: config.exec ? 0 : config.canaryMinRequests,
    maxErrorRate: config.canaryMaxErrorRate,
    maxLatencyRatio: config.canaryMaxLatencyRatio,
    latencyFloorMs: LATENCY_FLOOR_MS,
    maxLoopDelayMs: config.canaryMaxLoopDelayMs,
  };
}

/** Latencies below this are all the same: a cold process takes a few milliseconds more for some answers. */
const LATENCY_FLOOR_MS = 20;
