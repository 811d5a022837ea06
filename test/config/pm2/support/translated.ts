/** What an application of PM2's file comes to. */
import t from 'tap';
import type { Facts, Verdict } from '../../../../src/config/pm2/keys.js';
import { type Translated, translateApp } from '../../../../src/config/pm2/translate.js';

export const FACTS: Facts = { processors: 6, home: '/home/me', users: ['me', '1000'], groups: ['1000', 'me'] };

export function translated(app: Record<string, unknown>, environment: string | null = null): Translated {
  return translateApp(app, { at: '', environment, deployed: {}, facts: FACTS });
}

/** The options that it comes to, as they would be written; without what each of these has. */
export function optionsOf(app: Record<string, unknown>, environment: string | null = null): Record<string, unknown> {
  const { given, faults } = translated({ name: 'x', script: 'x.js', exec_mode: 'cluster', ...app }, environment);
  t.same(faults, [], JSON.stringify(app));
  const { name: _, script: __, ...options } = Object.fromEntries([...given].map(([option, { raw }]) => [option, raw]));
  return options;
}

export function verdictOf(
  app: Record<string, unknown>,
  key: string,
  environment: string | null = null,
): Verdict | undefined {
  return translated(app, environment).notes.find((note) => note.key === key)?.verdict;
}
