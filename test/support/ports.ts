/**
 * Ports that no other test is given, in whatever process it runs, and that the kernel gives to nobody.
 *
 * A port that was found free is bound later, by a program that has to start first. One out of the kernel's own range may be given
 * away until then: to who asks for any port, or to a client as its own.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';

const FIRST = 10_000;
const LAST = 65_535;
/** Of the range that the kernel gives, where that cannot be read. */
const KERNELS_FIRST = 32_768;
/** Fewer than this are too few: the whole range is used. */
const ENOUGH = 2_000;

const [from, to] = rangeBelow(kernelsFirst());
/** Processes begin at different places, so that they seldom meet. */
let next = from + (process.pid % (to - from));

/** A TCP port on which nobody listens; each once, and of this process alone until it ends. */
export async function freePort(): Promise<number> {
  for (let tried = from; tried < to; tried++) {
    const port = next;
    next = port + 1 < to ? port + 1 : from;
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
  throw new Error(`no free port between ${from} and ${to}`);
}

/** By a name that goes with the process: an abstract socket, of which there is one in a network namespace, as of a port. */
async function reserve(port: number): Promise<boolean> {
  const mark = await listen({ path: `\0holdfast-test-port-${port}` });
  mark?.unref();
  return mark !== null;
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen({ port });
  if (server === null) return false;
  server.close();
  await once(server, 'close');
  return true;
}

async function listen(where: net.ListenOptions): Promise<net.Server | null> {
  const server = net.createServer((stranger) => stranger.destroy());
  try {
    server.listen(where);
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}

function rangeBelow(first: number): readonly [from: number, to: number] {
  return first - FIRST >= ENOUGH ? [FIRST, first] : [FIRST, LAST];
}

function kernelsFirst(): number {
  try {
    const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
    return Number(first);
  } catch {
    return KERNELS_FIRST;
  }
}
