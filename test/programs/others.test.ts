/** Programs that take minutes to be installed and built, or resemble one that CI runs. */
import t from 'tap';
import { behavesAsUnderPlainNode } from './driver.js';
import { PROGRAMS } from './table.js';

t.jobs = 2;
t.setTimeout(1_800_000);

for (const program of PROGRAMS.filter(({ inCi }) => !inCi)) {
  t.test(program.name, { buffered: true, timeout: 1_500_000 }, (t) => behavesAsUnderPlainNode(t, program));
}
