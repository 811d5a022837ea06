import { rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder, runPreloaded, type Setup } from '../support/preloaded.js';

const ID = '0f8fad5b-d9cb-469f-a165-70867728950e';

/** Whether a server at the path that the script says is one of the supervisor's. */
async function isShared(t: Test, script: string, setup: Setup = {}): Promise<boolean> {
  const listen = `
    const fs = require('node:fs');
    const path = require('node:path');
    const listen = (name) => {
      const server = require('node:net').createServer();
      server.listen(name, () => {
        console.log('listens', fs.statSync(name).isSocket());
        server.close();
      });
    };
    ${script}`;
  const { lines, stderr, told } = await runPreloaded(t, listen, setup);
  t.same(lines, ['listens true'], stderr);
  return told.some(({ type }) => type === 'share');
}

t.test('a folder below the temporary one is a private one only where mkdtemp has made it', async (t) => {
  const made = path.join(os.tmpdir(), `hf-${process.pid}-sockets`);
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  const FOLDER = makeFolder(t);
  const env = { FOLDER, MADE: made };
  const byMkdir = `fs.mkdirSync(process.env.MADE); listen(path.join(process.env.MADE, 'app'));`;
  t.equal(await isShared(t, byMkdir, { env }), true, 'mkdir');
  const there = `listen(path.join(process.env.FOLDER, 'app'));`;
  t.equal(await isShared(t, there, { env }), true, 'it was there before');
  const prefix = `path.join(process.env.FOLDER, 'of-')`;
  const ways = [
    `listen(path.join(fs.mkdtempSync(${prefix}), 'app'));`,
    `listen(path.join(String(fs.mkdtempSync(${prefix}, 'buffer')), 'app'));`,
    `fs.mkdtemp(${prefix}, (error, folder) => listen(path.join(folder, 'app')));`,
    `fs.mkdtemp(${prefix}, 'utf8', (error, folder) => listen(path.join(folder, 'app')));`,
    `fs.promises.mkdtemp(${prefix}).then((folder) => listen(path.join(folder, 'app')));`,
    `import('node:fs').then(({ mkdtempSync }) => listen(path.join(mkdtempSync(${prefix}), 'app')));`,
    `import('node:fs/promises').then(({ mkdtemp }) => mkdtemp(${prefix})).then((folder) => listen(path.join(folder, 'app')));`,
    `const folder = path.join(fs.mkdtempSync(${prefix}), 'below'); fs.mkdirSync(folder); listen(path.join(folder, 'app'));`,
    `const make = fs.mkdtempDisposableSync ?? ((prefix) => ({ path: fs.mkdtempSync(prefix) }));
     listen(path.join(make(${prefix}).path, 'app'));`,
  ];
  for (const way of ways) t.equal(await isShared(t, way, { env }), false, way);
});

t.test('a PID or a UUID makes a path private where it is the socket that has it in its name', async (t) => {
  const FOLDER = makeFolder(t);
  const env = { FOLDER };
  const inFolder = (what: string) =>
    `const folder = path.join(process.env.FOLDER, 'at-' + ${what}); fs.mkdirSync(folder); listen(path.join(folder, 'app'));`;
  const inName = (what: string) => `listen(path.join(process.env.FOLDER, 'app-' + ${what} + '.sock'));`;
  for (const what of ['process.pid', "require('node:crypto').randomUUID()"]) {
    t.equal(await isShared(t, inFolder(what), { env }), true, `${what} in the folder's name`);
    t.equal(await isShared(t, inName(what), { env }), false, `${what} in the socket's name`);
  }
  t.equal(await isShared(t, inName("process.pid + '0'"), { env }), true, 'a part of a number');
});

t.test('what every worker is given makes no path private, be it the number of the process', async (t) => {
  const FOLDER = makeFolder(t);
  const byPort = `listen(path.join(process.env.FOLDER, 'app-' + process.env.PORT + '.sock'));`;
  t.equal(await isShared(t, byPort, { env: { FOLDER }, pidAs: 'PORT' }), true, 'a port that is the PID by chance');
  const byId = `listen(path.join(process.env.FOLDER, process.env.ID + '.sock'));`;
  t.equal(await isShared(t, byId, { env: { FOLDER, ID } }), true, 'a UUID of the deployment');
});

t.test('a path that is in custody is never private', async (t) => {
  const name = path.join(makeFolder(t), `app-${ID}.sock`);
  const script = `listen(${JSON.stringify(name)});`;
  t.equal(await isShared(t, script), false);
  t.equal(await isShared(t, script, { env: { HOLDFAST_PATHS: JSON.stringify([name]) } }), true);
});
