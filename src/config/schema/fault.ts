/**
 * What is wrong with a configuration, and the one error that tells all of it.
 *
 * Must never show a secret: values of `env` and `args`, of unknown options, and whole objects and lists stay unseen.
 */
import { EXIT, HoldfastError } from '../../errors.js';

export interface Fault {
  /** The file's absolute path, `environment` or `command line`. */
  readonly source: string;
  /** The place in the source, as its owner spells it: `env.PORT`, `args[2]`, `HOLDFAST_SURGE`, `--surge`; '' for all of it. */
  readonly path: string;
  /** What stands there, fit to be shown; null where there is nothing to show or it may be a secret. */
  readonly value: string | null;
  /** What is allowed there: `must be a whole number from 1 to 256, or "max"`. */
  readonly allowed: string;
}

/** `CONFIG_INVALID`, exit code 2. The message is laid out for people and has every fault in it. */
export class ConfigError extends HoldfastError {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super('CONFIG_INVALID', layOut(faults), { exitCode: EXIT.usage });
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Characters of a value that are shown. */
const SHOWN_LENGTH = 80;

/** A value as a fault shows it: quoted and cut. Objects and lists are named only: secrets may be anywhere in them. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? 'a list' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}

function layOut(faults: readonly Fault[]): string {
  const lines = [`cannot use the configuration: ${faults.length === 1 ? '1 fault' : `${faults.length} faults`}`];
  for (const source of new Set(faults.map((fault) => fault.source))) {
    lines.push(`  ${source}`);
    for (const { path, value, allowed } of faults.filter((fault) => fault.source === source)) {
      const place = value === null ? path : `${path}: ${value}`;
      lines.push(`    ${place === '' ? '' : `${place} — `}${allowed}`);
    }
  }
  return lines.join('\n');
}
