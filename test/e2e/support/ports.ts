import net from 'node:net';

/** Tests of one file run side by side, and use theirs only later. */
const given = new Set<number>();

/** A TCP port on which nobody listens at the moment; each once. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}
