import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { makeRuntimeDir, root } from './support/holdfast.js';

t.test("README's quick start does what it says", async (t) => {
  const port = await freePort();
  const variables = {
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    HOME: process.env.HOME ?? '/',
    HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t),
    HOLDFAST_ORPHAN_TIMEOUT: '0',
    // Only the port is another one: 3000 may be taken on this machine.
    PORT: String(port),
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const shell = (line: string) => spawn('env', ['-i', ...assignments, 'sh', '-c', line], { cwd: root });

  const builtAt = () => statSync(path.join(root, 'dist/program/main.cjs')).mtimeMs;
  const before = builtAt();
  const started = shell('exec npm start');
  t.teardown(() => started.kill('SIGKILL'));
  const ended = once(started, 'close');
  let said = '';
  await new Promise<void>((resolve) => {
    createInterface({ input: started.stderr }).on('line', (line) => {
      said += `${line}\n`;
      if (line.includes('holdfast status')) resolve();
    });
  });
  t.match(said, `curl http://localhost:${port}/`, 'it says what to try next');
  t.match(said, 'npx holdfast reload --name hello');

  const block = /In another terminal:\n\n```sh\n([^`]+)```/.exec(
    readFileSync(path.join(root, 'README.md'), 'utf8'),
  )?.[1];
  const commands = block?.trim().split('\n') ?? [];
  t.same(commands, ['curl http://localhost:3000/', 'npx holdfast reload', 'npx holdfast status']);
  t.match(await ask(port), { hello: 'world', generation: '1' });
  for (const command of [...commands.slice(1), 'npx holdfast stop']) {
    const child = shell(command);
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    t.equal(code, 0, command);
    if (command.endsWith('reload')) t.match(await ask(port), { generation: '2' });
    if (command.endsWith('status')) t.match(output, /2 of 2 workers ready/);
  }
  await ended;
  // npm prepares a package for npx in its own folder.
  t.equal(builtAt(), before, 'nothing is built anew under a supervisor that runs');
});
