/** `holdfast reload`: the next generation, rolling. */
import type { Command } from '../context.js';
import { request } from './request.js';

export const run: Command = (invocation, context) => request('reload', 'reload', invocation, context);
