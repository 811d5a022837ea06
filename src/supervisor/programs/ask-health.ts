/** Asks a program over a connection that it has accepted itself: `GET path`, of which the status alone counts. */
import type { Socket } from 'node:net';

/** A status line and some headers; whoever sends more before it is no HTTP server. */
const MOST_CHARACTERS = 16_384;

/** The socket is closed afterwards. @returns what is wrong; null for an answer from 200 to 399 */
export async function askHealth(socket: Socket, path: string, host: string): Promise<string | null> {
  try {
    const text = await new Promise<string>((resolve, reject) => {
      let heard = '';
      socket.setEncoding('latin1');
      socket.on('data', (chunk: string) => {
        heard += chunk;
        if (statusOf(heard) !== null || heard.length > MOST_CHARACTERS) resolve(heard);
      });
      socket.once('error', reject);
      socket.once('close', () => resolve(heard));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: holdfast\r\nConnection: close\r\n\r\n`);
    });
    const status = statusOf(text);
    if (status === null) return `GET ${path} was not answered in HTTP/1.1`;
    return status >= 200 && status < 400 ? null : `GET ${path} answered ${status}`;
  } catch (error) {
    return `GET ${path} was not answered: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    socket.destroy();
  }
}

/** Of the answer itself, behind informational ones (RFC 9110, section 15.2); null where it is still to come. */
export function statusOf(text: string): number | null {
  let rest = text;
  for (;;) {
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(rest)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) return null;
    if (status >= 200) return status;
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return null;
    rest = rest.slice(end + 4);
  }
}
