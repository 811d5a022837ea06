/** How important a log line is. Pure. */
import { LOG_LEVELS } from '../../protocol/logs.js';

type LevelName = (typeof LOG_LEVELS)[number];

const SEVERITIES: Readonly<Record<LevelName, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
};

/** Levels as pino numbers them; what has none counts as `info`. */
export function severityOf(level: unknown): number {
  if (typeof level === 'number') return level;
  return Object.hasOwn(SEVERITIES, String(level)) ? SEVERITIES[level as LevelName] : SEVERITIES.info;
}

/** The name of one of pino's own levels, by its number or its name; null for any other. */
export function levelName(level: unknown): LevelName | null {
  return LOG_LEVELS.find((name) => name === level || SEVERITIES[name] === level) ?? null;
}
