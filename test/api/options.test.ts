import t from 'tap';
import type * as z from 'zod/mini';
import type { Options } from '../../src/api/options.js';
import { readGivenOptions } from '../../src/config/file/given-options.js';
import { SETTING_NAMES, type SETTINGS, type SettingName } from '../../src/config/schema/schema.js';

/** What a configuration file may have, as the schema says it. */
type Written = { readonly [K in SettingName]?: z.input<(typeof SETTINGS)[K]['schema']> };
/** The compiler holds the options of a program to the schema, and names the one that is missing or too many. */
type Differing = Exclude<SettingName, keyof Options> | Exclude<keyof Options, SettingName>;
const same: { readonly [K in Differing]: 'is in one of the two alone' } = {};
type Open<V> = V extends readonly (infer E)[] ? readonly E[] : V;
type Readable<T> = { [K in keyof T]: Open<T[K]> };
const fits = (options: Readable<Options>): Readable<Written> => options;

t.test('the options of a program are those of the schema', async (t) => {
  t.same(same, {});
  t.type(fits, 'function');
  const { layer, faults } = readGivenOptions({ HOLDFAST_OPTIONS: '{"script":"app.js","surgee":1}' }, '/srv') ?? {};
  t.same([...(layer?.given.keys() ?? [])], ['script']);
  t.match(faults, [{ source: 'options', path: 'surgee', allowed: /did you mean "surge"/ }]);
  const all = readGivenOptions(
    { HOLDFAST_OPTIONS: JSON.stringify(Object.fromEntries(SETTING_NAMES.map((name) => [name, 1]))) },
    '/',
  );
  t.same(all?.faults, []);
});

t.test('what is no object with options is refused with what it is', async (t) => {
  t.equal(readGivenOptions({}, '/srv'), null);
  t.equal(readGivenOptions({ HOLDFAST_OPTIONS: '' }, '/srv'), null);
  for (const [text, allowed] of [
    ['{"script":', 'must be JSON'],
    ['[]', 'must be an object with options, not a list'],
    ['"app.js"', 'must be an object with options, not string'],
    ['null', 'must not be empty'],
  ] as const) {
    const read = readGivenOptions({ HOLDFAST_OPTIONS: text }, '/srv');
    t.same(read?.faults, [{ source: 'options', path: 'HOLDFAST_OPTIONS', value: null, allowed }]);
    t.equal(read?.layer.given.size, 0);
  }
});
