import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { limitsOfWorker } from '../../src/supervisor/upkeep/limits.js';
import { faultsOf, sourceIn } from './support.js';

const GIB = 1024 ** 3;
const resources = { processors: 3, memoryBytes: 2 * GIB };

t.test('a percentage of the memory is for all workers together', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const load = async (maxMemory: string, instances: string) => {
    const flags = { maxMemory, instances };
    return (await loadConfig(sourceIn(cwd, { target: 'app.js', flags, resources }))).config;
  };
  t.match(await load('100%', '1'), { maxMemoryBytes: 2 * GIB, maxMemoryTotalBytes: 2 * GIB });
  t.match(await load('50%', '4'), { maxMemoryBytes: GIB / 4, maxMemoryTotalBytes: GIB });
  t.match(await load('75%', 'max'), { instances: 3, maxMemoryBytes: GIB / 2, maxMemoryTotalBytes: 1.5 * GIB });
  t.match(await load('12.5%', '2'), { maxMemoryBytes: GIB / 8 });
  t.match(await load('1%', '7'), { maxMemoryTotalBytes: 21_474_836, maxMemoryBytes: 3_067_833 }, 'in whole bytes');

  const share = await load('50%', '4');
  t.equal(limitsOfWorker(share, 4).maxMemoryBytes, GIB / 4);
  t.equal(limitsOfWorker(share, 8).maxMemoryBytes, GIB / 8, 'twice the slots, half of it');
  t.equal(limitsOfWorker(share, 1).maxMemoryBytes, GIB);
  t.equal(limitsOfWorker({ ...share, exec: true }, 1).hangTimeoutMs, 0, 'a program cannot be asked for a sign of life');
  t.equal(limitsOfWorker(await load('300M', '4'), 8).maxMemoryBytes, 300 * 1024 ** 2, 'a size is for each worker');
});

t.test('a percentage that comes to next to nothing is refused', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const source = (instances: string) =>
    sourceIn(cwd, { target: 'app.js', flags: { maxMemory: '1%', instances }, resources });
  await t.resolves(loadConfig(source('20')));
  t.match(await faultsOf(source('21')), [
    { path: '--max-memory', value: '"1%"', allowed: /^must come to at least 1M for each worker; with 21 of them/ },
  ]);
  const few = await faultsOf(source('none'));
  t.same(
    few.map(({ path }) => path),
    ['--instances'],
    'a fault does not cause another',
  );
});
