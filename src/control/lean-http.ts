/**
 * node:http without its lazy exports. An `import` of it evaluates them all, and with them 14 MB of a WebSocket client,
 * in a process that is to be small.
 */
import type http from 'node:http';
import { createRequire } from 'node:module';

export const { createServer, request } = createRequire(import.meta.url)('node:http') as typeof http;
