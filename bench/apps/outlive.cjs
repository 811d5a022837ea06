// An application under clients of all kinds whose supervisor is killed: HTTP, an echo behind an upgrade, HTTPS. Busy for part of the time.
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const { PORT, TLS_PORT, TLS_KEY, TLS_CERT, BUSY_MS = '0' } = process.env;
const burn = () => {
  const end = performance.now() + Number(BUSY_MS);
  while (performance.now() < end);
  setTimeout(burn, Number(BUSY_MS) / 4);
};
if (BUSY_MS !== '0') burn();

const answer = (request, response) => {
  request.resume();
  request.once('end', () => response.end(`${process.pid}`));
};
const server = http.createServer(answer);
server.on('upgrade', (_request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.on('data', (data) => socket.write(data));
  socket.on('end', () => socket.end());
  socket.on('error', () => {});
});
server.keepAliveTimeout = 60_000;
server.listen(Number(PORT), '127.0.0.1');
if (TLS_KEY) {
  const secure = https.createServer({ key: fs.readFileSync(TLS_KEY), cert: fs.readFileSync(TLS_CERT) }, answer);
  secure.keepAliveTimeout = 60_000;
  secure.listen(Number(TLS_PORT), '127.0.0.1');
}
// What it prints as an orphan must hold it up as little as what it prints at other times.
setInterval(() => console.log('a line that somebody has to read'), 50).unref();
