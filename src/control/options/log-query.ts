/** What may stand behind `GET /logs?`, and how it is written. Pure. */
import { LOG_LEVELS, type LogQuery } from '../../protocol/logs.js';

const NUMBER = /^\d{1,9}$/;
const TIME = /^\d{1,15}$/;
export const MOST_LINES = 100_000;

/** @returns what is wrong, for people */
export function readLogQuery(params: URLSearchParams): LogQuery | string {
  const query: { -readonly [K in keyof LogQuery]: LogQuery[K] } = { lines: 0, follow: true };
  for (const [name, value] of params) {
    switch (name) {
      case 'lines':
        if (!NUMBER.test(value) || Number(value) > MOST_LINES) return `lines must be a number from 0 to ${MOST_LINES}`;
        query.lines = Number(value);
        break;
      case 'follow':
        if (value !== 'true' && value !== 'false') return 'follow must be true or false';
        query.follow = value === 'true';
        break;
      case 'worker':
      case 'slot':
        if (!NUMBER.test(value)) return `${name} must be a number`;
        query[name] = Number(value);
        break;
      case 'level': {
        const level = LOG_LEVELS.find((known) => known === value);
        if (level === undefined) return `level must be one of ${LOG_LEVELS.join(', ')}`;
        query.level = level;
        break;
      }
      case 'since':
        if (!TIME.test(value)) return 'since must be milliseconds since 1970';
        query.sinceMs = Number(value);
        break;
      default:
        return `there is no ${name}: there is lines, follow, worker, slot, level, since`;
    }
  }
  return query;
}

/** The other way round. */
export function logQueryText({ lines, follow, worker, slot, level, sinceMs }: LogQuery): string {
  const params = Object.entries({ lines, follow, worker, slot, level, since: sinceMs });
  return params.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join('&');
}
