import http from 'node:http';
import { json } from 'node:stream/consumers';

/** One request over a connection of its own; the JSON that was answered. */
export function ask(port: number, path = '/', headers: http.OutgoingHttpHeaders = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => resolve(json(response)))
      .on('error', reject);
  });
}
