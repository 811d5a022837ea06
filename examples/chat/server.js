// A chat over raw TCP: every line that a client sends reaches all the others of the same worker.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const port = Number(process.env.PORT ?? 4000);
const clients = new Set();

const server = createServer((socket) => {
  const name = `guest-${socket.remotePort}`;
  clients.add(socket);
  socket.write(`welcome, ${name}\n`);
  tell(socket, `${name} has come`);
  const lines = createInterface({ input: socket });
  lines.on('line', (line) => tell(socket, `${name}: ${line}`));
  socket.on('error', () => {});
  socket.on('close', () => {
    lines.close();
    clients.delete(socket);
    tell(socket, `${name} has gone`);
  });
});

function tell(sender, line) {
  for (const client of clients) if (client !== sender) client.write(`${line}\n`);
}

server.listen(port, () => console.log(`chat on port ${server.address().port}`));

process.once('SIGTERM', () => {
  for (const client of clients) client.end('the chat is closing\n');
  server.close(() => process.exit(0));
});
