import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { makeFolder, type Preloaded, runPlain, runPreloaded } from '../support/preloaded.js';

t.test('whoever has taken unlink and rm before it listens removes no name of a socket in custody', async (t) => {
  const script = `
    const { existsSync, rm, rmSync, unlink, unlinkSync, promises } = require('node:fs');
    const net = require('node:net');
    const { SOCKET } = process.env;
    const server = net.createServer().listen(SOCKET, async () => {
      unlinkSync(SOCKET);
      rmSync(SOCKET);
      await promises.unlink(SOCKET);
      await promises.rm(SOCKET);
      unlink(SOCKET, () => rm(SOCKET, { force: true }, () => {
        console.log(existsSync(SOCKET));
        server.close();
      }));
    });`;
  for (const taken of [
    script,
    script
      .replace(/const (\{[^=]*\}) = require\('node:fs'\);/, "import * as fs from 'node:fs'; const $1 = fs;")
      .replace("const net = require('node:net')", "import net from 'node:net'"),
  ]) {
    const SOCKET = path.join(makeFolder(t), 'app');
    const { lines, stderr } = await runPreloaded(t, taken, { env: { SOCKET } });
    t.same(lines, ['true'], stderr);
  }
});

t.test('a path that is no longer that of a socket is removed as ever', async (t) => {
  const script = `
    const fs = require('node:fs');
    const { SOCKET } = process.env;
    const attempt = async (name, act) => {
      try {
        await act();
        console.log(name, 'done', fs.existsSync(SOCKET));
      } catch ({ code }) {
        console.log(name, code);
      }
    };
    const server = require('node:net').createServer().listen(SOCKET, () => server.close(async () => {
      console.log('closed');
      const awake = setInterval(() => {}, 60_000);
      process.on('message', async () => {
        await attempt('a file', () => fs.unlinkSync(SOCKET));
        await attempt('nothing', () => fs.unlinkSync(SOCKET));
        await attempt('nothing', () => fs.promises.rm(SOCKET));
        await attempt('nothing', () => new Promise((resolve, reject) => fs.unlink(SOCKET, (error) => error ? reject(error) : resolve())));
        clearInterval(awake);
        process.disconnect();
      });
    }));`;
  const onLine = (line: string, worker: Preloaded) => {
    if (line !== 'closed') return;
    worker.forget();
    writeFileSync(SOCKET, '');
    worker.tell('go on');
  };
  let SOCKET = path.join(makeFolder(t), 'app');
  const plain = await runPlain(t, script, { env: { SOCKET }, onLine });
  SOCKET = path.join(makeFolder(t), 'app');
  const worker = await runPreloaded(t, script, { env: { SOCKET }, onLine });
  t.match(plain.lines, ['closed', 'a file done false', 'nothing ENOENT', 'nothing ENOENT', 'nothing ENOENT']);
  t.same(worker.lines, plain.lines, worker.stderr);
});

t.test('a socket that other workers have goes on when this one has closed its own', async (t) => {
  const SOCKET = path.join(makeFolder(t), 'app');
  const script = `
    const { SOCKET } = process.env;
    const server = require('node:net').createServer().listen(SOCKET, () => server.close(() => {
      require('node:fs').unlinkSync(SOCKET);
      console.log('removed');
      process.disconnect();
    }));`;
  const { lines, stderr } = await runPreloaded(t, script, { env: { SOCKET } });
  t.same(lines, ['removed'], stderr);
  t.ok(existsSync(SOCKET));
});
