/** The parts of the control API that all requests share: their bodies, and answers of one piece. */
import type http from 'node:http';

export const BODY_LIMIT_BYTES = 64 * 1024;
export const BODY_HINT = 'config/openapi.yaml describes every body';

const CODES = {
  400: 'BAD_BODY',
  404: 'NOT_FOUND',
  405: 'WRONG_METHOD',
  413: 'BODY_TOO_LARGE',
  422: 'NO_WORKER',
  500: 'FAILED',
  503: 'TOO_MANY_READERS',
} as const;

/** Reads to the end in any case, so that the client hears the answer. Null for a body that is too large. */
export async function readBody(request: http.IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk);
  }
  return bytes > BODY_LIMIT_BYTES ? null : Buffer.concat(chunks).toString('utf8');
}

/** What failed, for programs by a code as well, and what to do next. */
export function refuse(
  response: http.ServerResponse,
  statusCode: keyof typeof CODES,
  error: string,
  hint: string,
  code: string = CODES[statusCode],
): void {
  sendJson(response, statusCode, { error, code, hint });
}

export function sendJson(response: http.ServerResponse, statusCode: number, value: unknown): void {
  response.writeHead(statusCode, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}
