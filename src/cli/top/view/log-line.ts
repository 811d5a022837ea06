/** A log line of the supervisor, which is JSON, as one line of cells. Pure. */
import { cut, padEnd, safe } from '../../output/cells.js';
import { formatField } from '../../output/quantity.js';
import { type Line, run, type Style } from '../../output/runs.js';

/** Said otherwise, or of no interest here. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'name', 'slot', 'worker', 'generation', 'stream', 'msg', 'hostname']);
const STYLES: Readonly<Record<string, Style>> = {
  warn: 'busy',
  error: 'bad',
  fatal: 'bad',
  debug: 'dim',
  trace: 'dim',
};

export interface LogFields {
  readonly worker: number | null;
  readonly line: Line;
}

/** @returns null for what is no log line */
export function logLine(json: string): LogFields | null {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null) return null;
  // A number is one of the application's own: the supervisor has the names of the others.
  const level = safe(String(fields.level ?? 'info'));
  const style = (Object.hasOwn(STYLES, level) ? STYLES[level] : undefined) ?? 'plain';
  const { slot, worker } = fields;
  const who = slot === undefined ? '' : `slot ${slot}${worker === undefined ? '' : ` worker ${worker}`}`;
  const rest = Object.entries(fields)
    .filter(([key]) => !LEFT_OUT.has(key))
    .map(([key, value]) => ` ${formatField(key, value)}`);
  return {
    worker: typeof worker === 'number' ? worker : null,
    line: [
      run(`${clock(fields.time)} `, 'dim'),
      run(`${padEnd(cut(level, 5), 5)} `, style === 'plain' ? 'good' : style),
      run(who === '' ? '' : `${safe(who)} `, 'dim'),
      // A first line is enough here.
      run(safe(firstLine(String(fields.msg ?? ''))), style),
      run(safe(rest.join('')), 'dim'),
    ],
  };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function clock(time: unknown): string {
  const date = new Date(time as string | number);
  if (Number.isNaN(date.getTime())) return '--:--:--';
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
