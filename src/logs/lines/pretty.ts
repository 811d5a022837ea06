/**
 * Log lines for people: one JSON line in, one or more lines of text out.
 *
 * pino-pretty is loaded when the first prettifier is made, not before: a supervisor in production never needs it.
 */
import { createRequire } from 'node:module';
import { terminalText } from '../../terminal-text.js';

/** Who is meant, in front of the message; the same fields are then left out behind it. */
const prefixed = ['slot', 'worker', 'generation', 'stream'] as const;

function message(fields: Readonly<Record<string, unknown>>, messageKey: string): string {
  const told = String(fields[messageKey] ?? '');
  if (fields.slot === undefined) return told;
  // What begins at the margin is a line of the log: a worker's text must not look like one.
  const text = told.replaceAll(/\n(?=[^\n\t ])/g, '\n    ');
  return fields.worker === undefined
    ? `[slot ${fields.slot}] ${text}`
    : `[slot ${fields.slot} worker ${fields.worker}] ${text}`;
}

/** Synchronous, so that the last line before an exit is as good as any other. */
export function prettifier(colour: boolean): (jsonLine: string) => string {
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  const format = prettyFactory({
    colorize: colour,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: ['pid', 'name', ...prefixed].join(','),
    messageFormat: message,
  });
  return (jsonLine) => terminalText(format(jsonLine));
}
