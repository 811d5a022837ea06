/** Programs that install within a minute. CI runs them; `npm test`, which needs no network, does not. */
import t from 'tap';
import { behavesAsUnderPlainNode } from './driver.js';
import { SERVERS } from './servers.js';

t.jobs = 2;
t.setTimeout(600_000);

for (const program of SERVERS.filter(({ isQuick }) => isQuick)) {
  t.test(program.name, { buffered: true, timeout: 300_000 }, (t) => behavesAsUnderPlainNode(t, program));
}
