import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../../src/config/load.js';
import { parseListenAddress } from '../../../src/config/schema/listen-address.js';
import { faultsOf, sourceIn } from '../support.js';

t.test('a port alone is one of 127.0.0.1, with a colon before it one of every address', async (t) => {
  const table: [string, { host: string | null; port: number } | null][] = [
    ['9100', { host: '127.0.0.1', port: 9100 }],
    [':9100', { host: null, port: 9100 }],
    ['10.0.0.1:65535', { host: '10.0.0.1', port: 65_535 }],
    ['localhost:1', { host: 'localhost', port: 1 }],
    ['[::1]:9100', { host: '::1', port: 9100 }],
    ['[fe80:::1]:9100', null],
    ['::1:9100', null],
    ['0', null],
    ['65536', null],
    ['127.0.0.256:80', null],
    ['127.1:80', null],
    ['1:80', null],
    ['-host:80', null],
    ['host:', null],
    ['host:http', null],
    ['http://host:80', null],
    ['', null],
  ];
  for (const [text, address] of table) t.strictSame(parseListenAddress(text), address, JSON.stringify(text));
});

t.test('admin is read from the file, the environment and the command line', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    'number.yaml': 'script: app.js\nadmin: 9100\n',
    'text.yaml': 'script: app.js\nadmin: :9100\n',
  });
  const admin = async (target: string, more: object = {}) =>
    (await loadConfig(sourceIn(cwd, { target: join(cwd, target), ...more }))).config.admin;
  t.strictSame(await admin('number.yaml'), { host: '127.0.0.1', port: 9100 });
  t.strictSame(await admin('text.yaml'), { host: null, port: 9100 });
  t.strictSame(await admin('text.yaml', { env: { HOLDFAST_ADMIN: '9101' } }), { host: '127.0.0.1', port: 9101 });
  t.strictSame(await admin('text.yaml', { flags: { admin: '[::]:9102' } }), { host: '::', port: 9102 });
});

t.test('a wrong address is refused with what is allowed', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  for (const admin of ['http', '70000', 'host:', '1.2.3:80']) {
    t.match(await faultsOf(sourceIn(cwd, { target: 'app.js', flags: { admin } })), [
      { path: '--admin', allowed: /^must be host:port, :port for every address .*127\.0\.0\.1$/ },
    ]);
  }
});

t.test('a file with a token is looked at when the configuration is read, and is never shown', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    token: 'a-token-of-some-length\n',
    short: 'short\n',
    'two lines': 'a-token-of-some-length\nand-another-one-too\n',
  });
  const of = (file: string) =>
    sourceIn(cwd, { target: 'app.js', flags: { adminTokenFile: file, adminMetricsTokenFile: file } });
  const { config } = await loadConfig(of('token'));
  t.match(config, { adminTokenFile: join(cwd, 'token'), adminMetricsTokenFile: join(cwd, 'token') });
  t.notMatch(JSON.stringify(config), /a-token-of/);
  for (const [file, allowed] of [
    ['short', /one line of 16 to 1024 characters/],
    ['two lines', /one line of 16 to 1024 characters/],
    ['tokn', /there is no .*tokn; did you mean .*token/],
    ['.', /is a folder/],
  ] as const) {
    t.match(await faultsOf(of(file)), [
      { path: '--admin-token-file', allowed },
      { path: '--admin-metrics-token-file', allowed },
    ]);
  }
});
