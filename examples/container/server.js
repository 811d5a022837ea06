// An application as it is in a container: plain node:http, nothing in it knows of holdfast.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok\n');
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ shop: 'open', slot: process.env.HOLDFAST_SLOT })}\n`);
});

server.listen(Number(process.env.PORT ?? 3000));
process.once('SIGTERM', () => server.close(() => process.exit(0)));
