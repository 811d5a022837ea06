// A small HTTP application: plain node:http, nothing in it knows of holdfast.
import { createServer } from 'node:http';

const port = Number(process.env.PORT ?? 3000);
const who = { pid: process.pid, slot: process.env.HOLDFAST_SLOT, generation: process.env.HOLDFAST_GENERATION };

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok\n');
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ hello: 'world', ...who })}\n`);
});

server.listen(port, () => console.log(`listening on port ${server.address().port}`));

process.once('SIGTERM', () => {
  console.log('cleaning up');
  server.close(() => process.exit(0));
});
