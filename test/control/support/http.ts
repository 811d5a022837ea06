/** Raw requests to a control socket, also wrong ones. */
import http from 'node:http';

export interface Answer {
  readonly statusCode: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export async function ask(socketPath: string, method: string, path: string, body?: string): Promise<Answer> {
  const response = await head(socketPath, method, path, body);
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { statusCode: response.statusCode ?? 0, headers: response.headers, text };
}

/** Resolves as soon as the answer has begun. */
export function head(socketPath: string, method: string, path: string, body?: string): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path, agent: false });
    request.once('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

export function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
