/** Chooses the listen mode from what the owner wants and what the machine can do. Pure. */
import { EXIT, HoldfastError } from '../errors.js';
import type { ListenMode } from '../protocol.js';
import type { Capabilities } from './probe.js';

/** `reason` is for people: `status` shows it. */
export type ListenChoice =
  | { readonly mode: 'reuseport'; readonly how: 'node' | 'native'; readonly reason: string }
  | { readonly mode: 'reuseaddr'; readonly how: null; readonly reason: string };

export interface SteeringChoice {
  readonly steered: boolean;
  /** For people: `status` shows it. */
  readonly reason: string;
}

/**
 * Whether the kernel's choice is steered.
 *
 * @throws HoldfastError AFFINITY_UNSUPPORTED if the configuration asks for an affinity that cannot be had
 */
export function chooseSteering(
  { steering, affinity }: { readonly steering: 'auto' | 'off'; readonly affinity: 'none' | 'client-ip' },
  mode: ListenMode,
  capabilities: Pick<Capabilities, 'steering'>,
): SteeringChoice {
  const choice = steeringOf(steering, mode, capabilities);
  if (affinity === 'none' || choice.steered) return choice;
  throw new HoldfastError(
    'AFFINITY_UNSUPPORTED',
    `cannot keep affinity ${affinity} without steering: ${choice.reason}`,
    {
      exitCode: EXIT.usage,
      hint: 'use --affinity none where any worker may serve any client; holdfast doctor shows what this machine supports',
    },
  );
}

function steeringOf(wanted: 'auto' | 'off', mode: ListenMode, capabilities: Pick<Capabilities, 'steering'>) {
  if (wanted === 'off') return { steered: false, reason: 'the configuration turns it off' };
  if (mode === 'reuseaddr')
    return { steered: false, reason: 'all workers share one socket, any idle one takes the next connection' };
  const { supported, reason } = capabilities.steering;
  return { steered: supported, reason: supported ? reason : `the kernel chooses by its hash: ${reason}` };
}

/** @throws HoldfastError REUSEPORT_UNSUPPORTED if reuseport is demanded and the machine cannot do it */
export function chooseListenMode(
  wanted: 'auto' | ListenMode,
  { reusePort }: Pick<Capabilities, 'reusePort'>,
): ListenChoice {
  if (wanted === 'reuseaddr') {
    return { mode: 'reuseaddr', how: null, reason: 'the configuration asks for reuseaddr' };
  }
  if (reusePort.how !== null) {
    const asked = wanted === 'auto' ? 'this machine supports SO_REUSEPORT' : 'the configuration asks for reuseport';
    return { mode: 'reuseport', how: reusePort.how, reason: `${asked}: ${reusePort.reason}` };
  }
  if (wanted === 'auto') {
    const reason = `this machine does not support SO_REUSEPORT, so all workers share one socket: ${reusePort.reason}`;
    return { mode: 'reuseaddr', how: null, reason };
  }
  throw new HoldfastError(
    'REUSEPORT_UNSUPPORTED',
    `cannot use listen mode reuseport: this machine does not support SO_REUSEPORT (${reusePort.reason})`,
    {
      exitCode: EXIT.usage,
      hint: 'use --listen-mode auto, which falls back to reuseaddr; holdfast doctor shows what this machine supports',
    },
  );
}
