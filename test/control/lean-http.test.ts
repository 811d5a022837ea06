import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { close, LeanServer, listen } from '../../src/control/lean-http.js';

t.test('HTTP is loaded with the first client, who is answered, and who is too slow is sent away', async (t) => {
  let made = 0;
  const server = new LeanServer((createServer) => {
    made += 1;
    return createServer({ headersTimeout: 50, connectionsCheckingInterval: 20 }, (_request, response) => {
      response.end('ok');
    });
  });
  await listen(server, { host: '127.0.0.1', port: 0 });
  const { port } = server.address() as AddressInfo;
  t.equal(made, 0);
  const quick = net.connect(port, '127.0.0.1');
  quick.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  t.match(await text(quick), /^HTTP\/1\.1 200 .*ok$/s);
  const slow = net.connect(port, '127.0.0.1');
  slow.write('GET / HTTP/1.1\r\nHost:');
  t.match(await text(slow), /^HTTP\/1\.1 408 /);
  t.equal(made, 1);
  const idle = net.connect(port, '127.0.0.1');
  const gone = new Promise((resolve) => idle.once('close', resolve));
  await new Promise((resolve) => server.once('connection', resolve));
  await close(server);
  await gone;
  t.equal(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))), 0);
});
