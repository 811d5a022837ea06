// The server of every benchmark. Bare processes share the port by themselves (BARE=1), workers by holdfast.
const http = require('node:http');

const server = http.createServer((_request, response) => response.end('ok'));
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', reusePort: process.env.BARE === '1' }, () => {
  // Milliseconds since the process began: what start-up costs.
  console.log(`ready ${performance.now()}`);
});
