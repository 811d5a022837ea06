import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Test } from 'tap';

/** @returns what sends a datagram to the port, and waits for the answer; open until the end of the test */
export async function udpAsker(t: Test, port: number) {
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  t.teardown(() => client.close());
  return async (text: string) => {
    client.send(text, port, '127.0.0.1');
    const [message] = (await once(client, 'message')) as [Buffer];
    return String(message);
  };
}
