/** Chooses the listen mode from what the owner wants and what the machine can do. Pure. */
import { EXIT, HoldfastError } from '../errors.js';
import type { ListenMode } from '../protocol/status.js';
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
  listen: Pick<ListenChoice, 'mode' | 'reason'>,
  capabilities: Pick<Capabilities, 'steering'>,
): SteeringChoice {
  const choice = steeringOf(steering, listen, capabilities);
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

function steeringOf(
  wanted: 'auto' | 'off',
  listen: Pick<ListenChoice, 'mode' | 'reason'>,
  capabilities: Pick<Capabilities, 'steering'>,
): SteeringChoice {
  if (wanted === 'off') return { steered: false, reason: 'the configuration turns it off' };
  // Whatever led to one socket for all is the reason for this, too.
  if (listen.mode === 'reuseaddr') return { steered: false, reason: listen.reason };
  const { supported, reason } = capabilities.steering;
  return { steered: supported, reason: supported ? reason : `the kernel chooses by its hash: ${reason}` };
}

/**
 * `auto` takes sockets of their own for the slots only where the kernel's choice among them can be steered: by the
 * kernel's hash a connection waits behind a blocked worker while others are idle (`npm run bench:modes`).
 *
 * @throws HoldfastError REUSEPORT_UNSUPPORTED if reuseport is demanded and the machine cannot do it
 */
export function chooseListenMode(
  {
    listenMode,
    steering,
    exec = false,
  }: { readonly listenMode: 'auto' | ListenMode; readonly steering: 'auto' | 'off'; readonly exec?: boolean },
  capabilities: Pick<Capabilities, 'reusePort' | 'steering'>,
): ListenChoice {
  // Nobody could have a program adopt what waits in the queue of another one.
  if (exec) return shared('programs share one socket for each address, so that whoever runs takes what waits');
  const { reusePort } = capabilities;
  switch (listenMode) {
    case 'reuseaddr':
      return { mode: 'reuseaddr', how: null, reason: 'the configuration asks for reuseaddr' };
    case 'reuseport':
      if (reusePort.how === null) throw unsupported(reusePort.reason);
      return {
        mode: 'reuseport',
        how: reusePort.how,
        reason: `the configuration asks for reuseport: ${reusePort.reason}`,
      };
    case 'auto':
      if (reusePort.how === null) {
        return shared(
          `this machine does not support SO_REUSEPORT, so all workers share one socket: ${reusePort.reason}`,
        );
      }
      if (steering === 'off') return shared('steering is turned off, so all workers share one socket');
      if (!capabilities.steering.supported) {
        const { reason } = capabilities.steering;
        return shared(`connections cannot be steered here, so all workers share one socket: ${reason}`);
      }
      return {
        mode: 'reuseport',
        how: reusePort.how,
        reason: `this machine supports SO_REUSEPORT: ${reusePort.reason}`,
      };
  }
}

function shared(reason: string): ListenChoice {
  return { mode: 'reuseaddr', how: null, reason };
}

function unsupported(reason: string): HoldfastError {
  return new HoldfastError(
    'REUSEPORT_UNSUPPORTED',
    `cannot use listen mode reuseport: this machine does not support SO_REUSEPORT (${reason})`,
    {
      exitCode: EXIT.usage,
      hint: 'use --listen-mode auto, which falls back to reuseaddr; holdfast doctor shows what this machine supports',
    },
  );
}
