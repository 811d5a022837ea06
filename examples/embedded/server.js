// The application, as always: it knows nothing of who runs it.
import http from 'node:http';

const server = http.createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ pid: process.pid, generation: process.env.HOLDFAST_GENERATION })}\n`);
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
