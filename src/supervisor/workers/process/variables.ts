/** The environment variables by which a worker is told who it is. Pure. */
import type { Config } from '../../../config/config.js';

export interface WorkerIdentity {
  readonly worker: number;
  readonly slot: number;
  readonly generation: number;
  readonly name: string;
}

/** Those that its application sees; the owner's own `instanceVar` comes over the first of them, and over no other. */
export function workerVariables(
  { slot, generation, name }: WorkerIdentity,
  { instanceVar }: Pick<Config, 'instanceVar'>,
): Record<string, string> {
  return {
    [instanceVar]: String(slot),
    HOLDFAST_NAME: name,
    HOLDFAST_SLOT: String(slot),
    HOLDFAST_GENERATION: String(generation),
  };
}
