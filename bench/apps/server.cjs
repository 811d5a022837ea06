// The server of every benchmark. Bare processes share the port by themselves (BARE=1), workers by whoever runs them.
const http = require('node:http');

const busyMs = Number(process.env.BUSY_MS ?? 0);

function burn(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Busy for four fifths of the time: an idle loop accepts so fast that it hides lost connections. */
function stayBusy() {
  burn(busyMs);
  setTimeout(stayBusy, busyMs / 4);
}
if (busyMs > 0) stayBusy();

const server = http.createServer((request, response) => {
  request.resume();
  if (request.url === '/block') burn(Number(request.headers['x-ms']));
  response.setHeader('x-pid', process.pid);
  response.end('ok');
});
// Whoever is stopped for a while between two rounds finds its connections as they were.
if (process.env.KEEP_ALIVE_MS !== undefined) server.keepAliveTimeout = Number(process.env.KEEP_ALIVE_MS);
function listen() {
  server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', reusePort: process.env.BARE === '1' }, () => {
    // Milliseconds since the process began: what start-up costs.
    console.log(`ready ${performance.now()}`);
  });
}
// Applications that connect to others first take their time.
if (process.env.BOOT_MS === undefined) listen();
else setTimeout(listen, Number(process.env.BOOT_MS));

// What every guide tells an application to do; PM2 says SIGINT.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close(() => process.exit(0)));
