// A client for the chat: node examples/chat/client.js [port] [local port]
import { connect } from 'node:net';

const [port = '4000', localPort] = process.argv.slice(2);
const socket = connect({ host: '127.0.0.1', port: Number(port), ...(localPort && { localPort: Number(localPort) }) });

socket.on('error', (error) => {
  console.error(`cannot chat: ${error.message}`);
  process.exitCode = 1;
});
socket.on('close', () => process.stdin.destroy());
socket.pipe(process.stdout);
process.stdin.pipe(socket);
