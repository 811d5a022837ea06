/** `holdfast restart`: stops all workers, then starts all. */
import type { Command } from '../process/context.js';
import { request } from './request.js';

export const run: Command = (invocation, context) => request('restart', 'restart', invocation, context);
