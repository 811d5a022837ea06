/** `holdfast stop`: drains, and ends the supervisor. */
import type { Command } from '../context.js';
import { request } from './request.js';

export const run: Command = (invocation, context) => request('stop', 'stop', invocation, context);
