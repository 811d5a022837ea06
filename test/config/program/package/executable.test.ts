import t from 'tap';
import { executableOf } from '../../../../src/config/program/package/executable.js';
import { exportedEntry } from '../../../../src/config/program/package/manifest.js';
import { cmdShim, pnpmShim } from '../shims.js';

t.test('what an executable file is shows at its beginning', async (t) => {
  const table: [string, object][] = [
    ['#!/usr/bin/env node\nrequire("x")', { is: 'node', nodeArgs: [] }],
    ['#!/usr/local/bin/node\r\n', { is: 'node', nodeArgs: [] }],
    [
      '#!/usr/bin/env -S node --no-warnings --enable-source-maps\n',
      { is: 'node', nodeArgs: ['--no-warnings', '--enable-source-maps'] },
    ],
    ['#!/usr/bin/env -Snode --no-warnings\n', { is: 'node', nodeArgs: ['--no-warnings'] }],
    ['#!/usr/bin/nodejs', { is: 'node', nodeArgs: [] }],
    ['"use strict";\n', { is: 'node', nodeArgs: [] }],
    ['', { is: 'node', nodeArgs: [] }],
    ['#!', { is: 'node', nodeArgs: [] }],
    ['#!/usr/bin/env tsx\n', { is: 'foreign', interpreter: ['tsx'] }],
    ['#!/usr/bin/python3 -u\n', { is: 'foreign', interpreter: ['python3', '-u'] }],
    ['#!/bin/sh\nexec java -jar x.jar "$@"\n', { is: 'foreign', interpreter: ['sh'] }],
    ['\x7fELF\x02\x01\x01\0\0', { is: 'binary' }],
  ];
  for (const [head, found] of table) t.strictSame(executableOf(head), found, JSON.stringify(head));
  t.strictSame(executableOf('print(1)', '/srv/a.py'), { is: 'foreign', interpreter: ['python'] });
  t.strictSame(executableOf('#!/usr/bin/env node\n', 'a.sh'), { is: 'node', nodeArgs: [] }, 'the first line counts');
  t.strictSame(executableOf('', 'constructor'), { is: 'node', nodeArgs: [] });
});

t.test('the shell scripts of pnpm and of cmd-shim are seen through', async (t) => {
  const store = '/srv/shop/node_modules/.pnpm';
  t.strictSame(executableOf(pnpmShim('/srv/shop', '../next/dist/bin/next')), {
    is: 'shim',
    nodeArgs: [],
    script: '../next/dist/bin/next',
    nodePath: `${store}/next@15.0.0/node_modules/next/dist/bin/node_modules:${store}/node_modules`,
  });
  t.strictSame(executableOf(cmdShim('../x/cli.js', '--no-warnings --max-http-header-size=65536')), {
    is: 'shim',
    nodeArgs: ['--no-warnings', '--max-http-header-size=65536'],
    script: '../x/cli.js',
    nodePath: null,
  });
  t.match(executableOf('#!/bin/sh\nexec node "/opt/x/cli.js" "$@"\n'), { is: 'shim', script: '/opt/x/cli.js' });
  t.match(
    executableOf('#!/bin/sh\nexec node "$basedir/x.js" serve "$@"\n'),
    { is: 'foreign' },
    'it adds words of its own',
  );
});

t.test('exports name an entry by the conditions under which node runs it', async (t) => {
  const table: [unknown, string | null][] = [
    ['./a.js', './a.js'],
    [{ '.': './a.js', './x': './x.js' }, './a.js'],
    [{ './x': './x.js' }, null],
    [{ types: './a.d.ts', browser: './b.js', import: './a.mjs', default: './a.js' }, './a.mjs'],
    [{ '.': { node: { require: './a.cjs' }, default: './a.js' } }, './a.cjs'],
    [[{ browser: './b.js' }, './a.js'], './a.js'],
    [null, null],
    [7, null],
  ];
  for (const [exports, entry] of table) t.equal(exportedEntry(exports), entry, JSON.stringify(exports));
});
