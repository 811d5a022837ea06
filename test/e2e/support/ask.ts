import http from 'node:http';
import { json } from 'node:stream/consumers';

/** One request over a connection of its own; the JSON that was answered. */
export function ask(port: number, path = '/', headers: http.OutgoingHttpHeaders = {}): Promise<unknown> {
  return askBegin(port, path, headers).answered;
}

/** The same in two steps: the head of the answer, and the whole of it. */
export function askBegin(port: number, path = '/', headers: http.OutgoingHttpHeaders = {}) {
  const begun = new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject);
  });
  return { begun, answered: begun.then((response) => json(response)) };
}
