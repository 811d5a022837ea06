/** Programs that CI runs, all installed and built within a minute; `npm test`, which needs no network, does not. */
import t from 'tap';
import { behavesAsUnderPlainNode } from './driver.js';
import { PROGRAMS } from './table.js';

t.jobs = 2;
t.setTimeout(900_000);

for (const program of PROGRAMS.filter(({ inCi }) => inCi)) {
  t.test(program.name, { buffered: true, timeout: 600_000 }, (t) => behavesAsUnderPlainNode(t, program));
}
