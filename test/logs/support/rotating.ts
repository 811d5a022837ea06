/** A log file that is rotated, and what all its files have together. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Test } from 'tap';
import { archivesAmong } from '../../../src/logs/sinks/archives.js';
import { type RotatingSink, type Rotation, rotatingSink } from '../../../src/logs/sinks/rotating-sink.js';

export const HOUR_MS = 3_600_000;

export function make(t: Test, more: Partial<Rotation> = {}) {
  const folder = t.testdir({});
  const file = path.join(folder, 'app.log');
  writeFileSync(file, '');
  const troubles: unknown[] = [];
  const rotation = { maxBytes: 0, maxAgeMs: 0, keep: 1_000, compress: false, graceMs: 0, ...more };
  const sink = rotatingSink({ file, mode: 0o640, onTrouble: (error) => troubles.push(error), ...rotation });
  t.teardown(() => sink.close());
  return { folder, file, sink, troubles };
}

export const write = (sink: RotatingSink, text: string) =>
  new Promise<Error | null>((resolve) => sink.write(text, (error) => resolve(error)));

export const read = (file: string) =>
  file.endsWith('.gz') ? gunzipSync(readFileSync(file)).toString() : readFileSync(file, 'utf8');

/** Every line in all files of the folder that are the log's, the oldest first. */
export function linesIn(folder: string, others: readonly string[] = []): string[] {
  const names = [...others, ...archivesAmong(readdirSync(folder), 'app.log'), 'app.log'];
  return names.flatMap((name) => read(path.join(folder, name)).split('\n').slice(0, -1));
}

export const numbers = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);
