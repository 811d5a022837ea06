/** The unit that is shipped: one for every configuration in /etc/holdfast. Pure. */
import { serviceUnit } from './unit.js';

/** The oldest version that it is made for; newer ones read it as well. */
const SYSTEMD = 252;

export function templateUnit(): string {
  return serviceUnit({
    name: { raw: '%i' },
    description: { raw: '%i (holdfast)' },
    systemd: SYSTEMD,
    // By way of the path: where holdfast lies differs from machine to machine.
    start: ['/usr/bin/env', 'holdfast', 'start', { raw: '/etc/holdfast/%i.yaml' }, { raw: '--name=%i' }],
    reload: ['/usr/bin/env', 'holdfast', 'reload', { raw: '--name=%i' }],
    stop: ['/usr/bin/env', 'holdfast', 'stop', { raw: '--name=%i' }],
    workingFolder: '/etc/holdfast',
    pwd: null,
    user: { kind: 'dynamic', name: null },
    // Known to the configuration alone, so with much room; the supervisor has the exact limits, and keeps them.
    instances: 63,
    surge: 1,
    startTimeoutMs: 5 * 60_000,
    stopTimeoutMs: 5 * 60_000,
    notifiesItself: true,
    hasSocket: false,
    readsHome: true,
    readsTmp: [],
    privilegedPorts: false,
    writable: [],
    header: [
      '/etc/systemd/system/holdfast@.service',
      'systemctl enable --now holdfast@shop runs what /etc/holdfast/shop.yaml says. Give that a `cwd` and a `script`.',
      'To change it: systemctl edit holdfast@shop. Made for one application: holdfast unit /etc/holdfast/shop.yaml',
    ],
  });
}
