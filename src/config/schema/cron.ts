/** Whether a cron expression is one that a schedule can follow. */
import { createRequire } from 'node:module';

/** Few configurations have one. */
const load = createRequire(import.meta.url);

/**
 * @param timeZone an IANA name; undefined is the system's
 * @returns what is wrong, or null
 */
export function cronFault(expression: string, timeZone: string | undefined): string | null {
  if (expression.trim().split(/\s+/).length !== 5) return 'there are not five fields';
  try {
    const { Cron } = load('croner') as typeof import('croner');
    const pattern = new Cron(expression.trim(), {
      paused: true,
      ...(timeZone !== undefined && { timezone: timeZone }),
    });
    return pattern.nextRun() === null ? 'it never comes to pass' : null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
