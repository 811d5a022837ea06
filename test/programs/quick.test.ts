/** Programs that are installed and built within a minute. CI runs them; `npm test`, which needs no network, does not. */
import t from 'tap';
import { behavesAsUnderPlainNode } from './driver.js';
import { PROGRAMS } from './table.js';

t.jobs = 2;
t.setTimeout(900_000);

for (const program of PROGRAMS.filter(({ isQuick }) => isQuick)) {
  t.test(program.name, { buffered: true, timeout: 600_000 }, (t) => behavesAsUnderPlainNode(t, program));
}
