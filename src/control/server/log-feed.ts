/** The answer to `GET /v1/logs`: the lines that have come already, where they are asked for, and then those that come. */
import type http from 'node:http';
import type { ControlTarget } from '../../protocol/control.js';
import type { LogHead, LogQuery } from '../../protocol/logs.js';
import { LineStream } from '../line-stream.js';

export interface LogFeed {
  readonly target: ControlTarget;
  readonly name: string;
  readonly query: LogQuery;
  /** Whether the query says how many: a reader that does not say so is told nothing but lines. */
  readonly isAsked: boolean;
}

/** @returns what ends it; null where that was all */
export function sendLogs(
  response: http.ServerResponse,
  { target, name, query, isAsked }: LogFeed,
): { end(): void } | null {
  const stream = new LineStream(response, (dropped) =>
    JSON.stringify({
      level: 'warn',
      time: new Date().toISOString(),
      pid: process.pid,
      name,
      dropped,
      msg: 'log lines dropped',
    }),
  );
  const recent = isAsked ? target.recentLogs(query) : { lines: [], logFile: null };
  const head: LogHead = { type: 'logs', recent: recent.lines.length, logFile: recent.logFile };
  for (const line of isAsked ? [JSON.stringify(head), ...recent.lines] : []) stream.write(line);
  if (!query.follow) {
    stream.end();
    return null;
  }
  const unfollow = target.followLogs((line) => stream.write(line), query);
  return {
    end() {
      unfollow();
      stream.end();
    },
  };
}
