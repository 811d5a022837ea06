import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../../src/config/load.js';
import { parseListenTarget } from '../../../src/config/schema/listen-address.js';
import { faultsOf, sourceIn } from '../support.js';

const cwd = t.testdir({ shopd: '#!/bin/sh\n', 'notes.txt': 'text', folder: {} });
const bin = path.join(cwd, 'bin');
mkdirSync(bin);
writeFileSync(path.join(bin, 'tool'), '');
for (const file of ['shopd', 'bin/tool']) chmodSync(path.join(cwd, file), 0o755);
const env = { PATH: `/no/such/folder:${bin}` };
const load = (source: Parameters<typeof sourceIn>[1]) => loadConfig(sourceIn(cwd, { env, ...source }));

t.test('the first word behind -- is the program, the rest its arguments', async (t) => {
  const { config } = await load({ flags: { exec: true }, args: ['./shopd', '--listen', 'x'] });
  t.match(config, { exec: true, script: './shopd', args: ['--listen', 'x'], name: 'shopd', ready: 'running' });
  const named = await load({ target: './shopd', flags: { exec: true }, args: ['-v'] });
  t.match(named.config, { script: './shopd', args: ['-v'] }, 'unless it is named before');
  const node = await load({ flags: { exec: false, script: './shopd' }, args: ['./other'] }).catch(() => null);
  t.equal(node, null, 'without exec it is to be a Node script');
});

t.test('a bare word is looked for on the PATH', async (t) => {
  const { config, resolved } = await load({ target: 'tool', flags: { exec: true } });
  t.equal(config.script, path.join(bin, 'tool'));
  t.equal(resolved, `tool → ${path.join(bin, 'tool')}`);
  const refused = (target: string) => faultsOf(sourceIn(cwd, { env, target, flags: { exec: true } }));
  t.match(await refused('shopd'), [{ path: 'script', allowed: /no shopd on the PATH; write \.\/shopd/ }]);
  t.match(await refused('nothing'), [{ allowed: /there is no nothing on the PATH$/ }]);
  t.match(await refused('./nothing'), [{ allowed: /there is no \S+nothing/ }]);
  t.match(await refused('./folder'), [{ allowed: /is a folder/ }]);
  t.match(await refused('./notes.txt'), [{ allowed: /is not executable: chmod \+x/ }]);
});

t.test('addresses may have names, and are called after their ports', async (t) => {
  t.strictSame(parseListenTarget('8080'), { name: '8080', host: '127.0.0.1', port: 8080 });
  t.strictSame(parseListenTarget('http=:80'), { name: 'http', host: null, port: 80 });
  t.strictSame(parseListenTarget('a.b-c=[::1]:1'), { name: 'a.b-c', host: '::1', port: 1 });
  for (const wrong of ['=80', 'a:b=80', 'a=', 'a=b=80', '0', 'http=0.0.0.0'])
    t.equal(parseListenTarget(wrong), null, wrong);
  const { config } = await load({ target: './shopd', flags: { exec: true, listen: ['80 http=[::1]:80', ':81'] } });
  t.same(
    config.listen.map(({ name, host, port }) => [name, host, port]),
    [
      ['80', '127.0.0.1', 80],
      ['http', '::1', 80],
      ['81', null, 81],
    ],
  );
  t.equal(config.ready, 'listening');
  writeFileSync(path.join(cwd, 'one.yaml'), 'exec: true\nscript: ./shopd\nlisten: 8080\n');
  t.match(await load({ target: 'one.yaml' }), { config: { listen: [{ name: '8080', port: 8080 }] } });
});

t.test('what a program cannot live up to is refused', async (t) => {
  const refused = (flags: Readonly<Record<string, unknown>>) =>
    faultsOf(sourceIn(cwd, { env, target: './shopd', flags: { exec: true, ...flags } }));
  t.match(await refused({ nodeArgs: '--inspect' }), [{ path: '--node-args', allowed: /is not Node/ }]);
  t.match(await refused({ interpreter: 'tsx' }), [{ path: '--interpreter' }]);
  t.match(await refused({ maxRequests: '10', maxEventLoopDelay: '1s' }), [{ path: '--max-requests' }, {}]);
  t.match(await refused({ listen: '80', listenMode: 'reuseport' }), [{ path: '--listen-mode' }]);
  t.match(await refused({ ready: 'listening' }), [{ path: '--ready', allowed: /must have listen/ }]);
  t.match(await refused({ health: '/' }), [{ path: '--health' }]);
  t.match(await refused({ listen: '80 127.0.0.1:80' }), [{ path: '--listen', allowed: 'must be given once' }]);
  t.match(await refused({ listen: 'nonsense' }), [{ path: '--listen', allowed: /each host:port/ }]);
  writeFileSync(path.join(cwd, 'app.js'), '');
  const node = await faultsOf(sourceIn(cwd, { target: 'app.js', flags: { listen: '80' } }));
  t.match(node, [{ path: '--listen', allowed: /must have exec beside it/ }]);
  const both = { exec: true, interpreter: 'node', listenMode: 'reuseaddr', hangTimeout: '1s' };
  t.match(await load({ target: './shopd', flags: both }), { config: { exec: true } });
});
