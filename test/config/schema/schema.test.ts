import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import t from 'tap';
import * as z from 'zod/mini';
import { variableOf } from '../../../src/config/layers/environment.js';
import { defaultOf } from '../../../src/config/layers/layer.js';
import { loadConfig } from '../../../src/config/load.js';
import { OPTIONS } from '../../../src/config/options.js';
import { jsonSchema, SETTING_NAMES, SETTINGS } from '../../../src/config/schema/schema.js';
import { RESOURCES } from '../support.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const committed = JSON.parse(readFileSync(`${root}config/schema.json`, 'utf8'));

t.test('the committed JSON Schema is the one that the code generates', async (t) => {
  t.strictSame(committed, JSON.parse(JSON.stringify(jsonSchema())), 'if not: npm run build && node scripts/schema.js');
});

t.test('the JSON Schema describes every option and allows no other key', async (t) => {
  const { properties, additionalProperties } = committed;
  t.strictSame(Object.keys(properties), ['$schema', ...SETTING_NAMES, 'apps']);
  t.equal(additionalProperties, false);
  for (const name of SETTING_NAMES) t.match(properties[name].description, /\w/, name);
});

t.test('an application of apps may have every option, but no applications of its own', async (t) => {
  const isValid = new Ajv({ strict: true, strictTypes: false }).compile(committed);
  const api = { name: 'api', script: 'api.js', instances: 2 };
  t.ok(isValid(api));
  t.ok(isValid({ $schema: 'https://example.com/schema.json', env: { A: '1' }, apps: [api, { ...api, surge: '50%' }] }));
  for (const app of [{ surgee: 1 }, { instances: 'many' }, { apps: [api] }, { $schema: 'x' }, 'api']) {
    t.notOk(isValid({ apps: [app] }), JSON.stringify(app));
  }
  t.notOk(isValid({ apps: [] }));
  t.ok(JSON.stringify(committed).length < 20_000, 'no option is described twice');
});

t.test('every option is offered as a flag, but args, which come after --', async (t) => {
  t.strictSame(
    OPTIONS.map(({ name }) => name),
    SETTING_NAMES.filter((name) => name !== 'args'),
  );
  const option = (wanted: string) => OPTIONS.find(({ name }) => name === wanted);
  t.match(option('readyTimeout'), { flag: 'ready-timeout', default: '30s', describe: /ready/ });
  t.match(option('instances'), { flag: 'instances', alias: 'i', default: 1 });
  t.match(option('listenMode'), { choices: ['auto', 'reuseport', 'reuseaddr'], default: 'auto' });
  t.match(option('nodeArgs'), { repeat: true });
  t.match(option('env'), { repeat: true, describe: /KEY=VALUE/ });
  t.notOk(option('soak')?.repeat);
});

t.test('a variable is named after its option', async (t) => {
  t.equal(variableOf('readyTimeout'), 'HOLDFAST_READY_TIMEOUT');
  t.equal(variableOf('name'), 'HOLDFAST_NAME');
});

t.test('the example configuration is one', async (t) => {
  const { config, warnings } = await loadConfig({
    target: 'config/example.yaml',
    args: [],
    flags: {},
    env: {},
    cwd: root,
    resources: RESOURCES,
  });
  t.match(config, { name: 'hello', instances: 2, script: '../examples/hello/server.js' });
  t.strictSame(warnings, []);
});

t.test('what an option is where nobody says otherwise is what its schema makes of that', async (t) => {
  for (const name of SETTING_NAMES) {
    t.same(defaultOf(name), z.parse(SETTINGS[name].schema, undefined), name);
  }
});
