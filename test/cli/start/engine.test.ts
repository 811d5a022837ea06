import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const engine = fileURLToPath(new URL('../../../dist/cli/start/engine.js', import.meta.url));

/** Much of what it makes survives: V8 would let the young generation grow tenfold. */
const GROWING = `
  const kept = [];
  for (let round = 0; round < 150; round++) for (let i = 0; i < 20_000; i++) kept[i % 3_000] = { number: i, pair: [i, i] };
  const young = require('node:v8').getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  console.log(young.space_size / 1024 / 1024);
`;

async function youngMb(...args: string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [...args, '-e', GROWING]);
  return Number(stdout);
}

t.test('the young generation of what becomes the supervisor stays as small as it begins', async (t) => {
  const [grown, kept] = [await youngMb(), await youngMb('--import', engine)];
  t.ok(kept <= 4, `${kept} MB`);
  t.ok(grown > kept, `without the settings ${grown} MB`);
});
