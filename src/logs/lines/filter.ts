/** Which log lines somebody wants to see. Pure. */
import type { LogFilter } from '../../protocol/logs.js';
import { severityOf } from './levels.js';

/** @returns null where every line is wanted: then none has to be read */
export function lineFilter(filter: LogFilter): ((jsonLine: string) => boolean) | null {
  const { worker, slot, level, sinceMs } = filter;
  if (worker === undefined && slot === undefined && level === undefined && sinceMs === undefined) return null;
  const leastSeverity = level === undefined ? 0 : severityOf(level);
  return (jsonLine) => {
    let line: Readonly<Record<string, unknown>>;
    try {
      line = JSON.parse(jsonLine) as typeof line;
    } catch {
      return false;
    }
    if (worker !== undefined && line.worker !== worker) return false;
    if (slot !== undefined && line.slot !== slot) return false;
    if (severityOf(line.level) < leastSeverity) return false;
    return sinceMs === undefined || Date.parse(String(line.time)) >= sinceMs;
  };
}
