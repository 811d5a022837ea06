/** `holdfast scale`: another number of workers. */
import { EXIT, HoldfastError } from '../../errors.js';
import type { Command } from '../process/context.js';
import { request } from './request.js';

/** @throws HoldfastError USAGE for what is neither a number nor a difference */
export const run: Command = async (invocation, context) => {
  const change = invocation.operand ?? '';
  if (!/^[+-]?\d{1,6}$/.test(change)) {
    throw new HoldfastError('USAGE', `cannot scale to ${JSON.stringify(change)}: it is not a number of workers`, {
      hint: 'write 4 for four workers, +2 for two more, -1 for one less',
      exitCode: EXIT.usage,
    });
  }
  return request({ scale: change }, 'scale', invocation, context);
};
