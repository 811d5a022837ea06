/**
 * The flags that `holdfast start` offers. Every one takes a text (declare them as strings); `loadConfig` validates it.
 *
 * The defaults are for help texts alone: a flag that was not typed must arrive as undefined, or it would win over the
 * configuration file.
 */
import { flagOf, mayRepeat } from './layers/flags.js';
import { SETTING_NAMES, SETTINGS, type Setting } from './schema/schema.js';

export interface Option {
  /** camelCase, as in a configuration file. */
  readonly name: string;
  /** kebab-case, without dashes before it. */
  readonly flag: string;
  readonly alias?: string;
  readonly describe: string;
  readonly default?: unknown;
  /** May be given more than once. */
  readonly repeat?: boolean;
  readonly choices?: readonly string[];
  /** Takes no value. */
  readonly isSwitch?: boolean;
}

/** All options but `args`, which come after `--`. */
export const OPTIONS: readonly Option[] = SETTING_NAMES.filter((name) => name !== 'args').map((name) => {
  const setting: Setting = SETTINGS[name];
  return {
    name,
    flag: flagOf(name),
    describe: setting.reading === 'pairs' ? `${setting.description}: --${flagOf(name)} KEY=VALUE` : setting.description,
    ...(setting.alias !== undefined && { alias: setting.alias }),
    ...(setting.default !== undefined && { default: setting.default }),
    ...(setting.choices !== undefined && { choices: setting.choices }),
    ...(mayRepeat(name) && { repeat: true }),
    ...(setting.reading === 'switch' && { isSwitch: true }),
  };
});
