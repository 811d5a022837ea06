/** What fits an application that is not Node (`exec`), and what does not. Pure. */

import type { ChosenOptions } from './layers/precedence.js';
import { type Fault, show } from './schema/fault.js';
import type { SettingName, Validated } from './schema/schema.js';

type ValueOf = <K extends SettingName>(name: K) => NonNullable<Validated[K]>;

/** Options that a program cannot live up to, and why. */
const NOT_FOR_PROGRAMS: readonly [name: SettingName, allowed: string][] = [
  ['nodeArgs', 'must not be given with exec: the program is not Node; its own arguments are args'],
  ['interpreter', 'must not be given with exec: name the interpreter as the program, --exec -- python3 app.py'],
  ['maxRequests', 'must not be given with exec: a program does not tell its requests; maxAge can be'],
  ['maxEventLoopDelay', 'must not be given with exec: there is no event loop to look at; health can be'],
];

export function programFaults(chosen: ChosenOptions, value: ValueOf): Fault[] {
  const fault = (name: SettingName, allowed: string): Fault[] => {
    const at = chosen.get(name);
    return at === undefined ? [] : [{ source: at.source, path: at.path, value: show(at.value), allowed }];
  };
  if (!value('exec')) {
    if (value('listen').length === 0) return [];
    return fault('listen', 'must have exec beside it: a Node application listens by itself');
  }
  const listens = value('listen').length > 0;
  return [
    ...NOT_FOR_PROGRAMS.flatMap(([name, allowed]) => (isDefault(name, value) ? [] : fault(name, allowed))),
    ...(value('listenMode') === 'reuseport'
      ? fault(
          'listenMode',
          'must be auto or reuseaddr with exec: what waits in a socket of its own would wait for that worker',
        )
      : []),
    ...(!listens && value('ready') === 'listening'
      ? fault('ready', 'must have listen beside it, or be running or message: there is no address to look at')
      : []),
    ...(!listens ? fault('health', 'must have listen beside it: there is no address to ask on') : []),
    ...repeated(chosen, value),
  ];
}

/** Written out it does no harm: one file may have applications of both kinds. */
function isDefault(name: SettingName, value: ValueOf): boolean {
  return (name === 'interpreter' && value(name) === 'node') || (name === 'nodeArgs' && value(name).length === 0);
}

/** The second socket could not be bound. */
function repeated(chosen: ChosenOptions, value: ValueOf): Fault[] {
  const addresses = value('listen').map(({ host, port }) => `${host ?? ''}:${port}`);
  const twice = addresses.find((address, at) => addresses.indexOf(address) !== at);
  const at = chosen.get('listen');
  if (twice === undefined || at === undefined) return [];
  return [{ source: at.source, path: at.path, value: show(twice), allowed: 'must be given once' }];
}
