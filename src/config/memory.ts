/** What `maxMemory` comes to for one worker. Pure. */
import type { Config } from './config.js';
import type { ChosenOptions } from './layers/precedence.js';
import type { Uncertainty } from './locate.js';
import type { Resources } from './resources.js';
import type { Fault } from './schema/fault.js';
import { MIN_MEMORY_BYTES } from './schema/kinds.js';

export interface Division {
  readonly instances: number;
  readonly isUncertain: Uncertainty;
  readonly resources: Resources;
  readonly faults: Fault[];
}

/**
 * A percentage is what all workers together may have: with 80% for each of them, two would need more than there is. The rest
 * is for the supervisor, for the second worker that a slot has in a rollout, and for the page cache.
 */
export function shareMemory(
  chosen: ChosenOptions,
  { instances, isUncertain, resources, faults }: Division,
): Pick<Config, 'maxMemoryBytes' | 'maxMemoryTotalBytes'> {
  const asked = chosen.get('maxMemory');
  if (asked === undefined) return { maxMemoryBytes: null, maxMemoryTotalBytes: null };
  if ('bytes' in asked.value) return { maxMemoryBytes: asked.value.bytes, maxMemoryTotalBytes: null };
  const { percent } = asked.value;
  const total = Math.floor((resources.memoryBytes * percent) / 100);
  const each = Math.floor(total / instances);
  if (each < MIN_MEMORY_BYTES && !isUncertain('instances')) {
    const allowed = `must come to at least 1M for each worker; with ${instances} of them it is ${each} bytes`;
    faults.push({ source: asked.source, path: asked.path, value: `"${percent}%"`, allowed });
  }
  return { maxMemoryBytes: each, maxMemoryTotalBytes: total };
}
