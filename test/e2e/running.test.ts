import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, run } from './support/holdfast.js';

const app = path.join(apps, 'queue-worker.cjs');

/** Gives jobs to whoever asks, and notes which were done. What was given and not done is lost. */
class Broker {
  readonly #server = net.createServer((socket) => this.#serve(socket));
  readonly open = new Set<number>();
  readonly doneBy = new Map<number, number>();
  lost = 0;
  #jobs = 0;
  #watchers: (() => void)[] = [];

  static async start(t: Test): Promise<Broker> {
    const broker = new Broker();
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    t.teardown(() => broker.#server.close());
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves when so many more jobs have been done. */
  async work(count: number): Promise<void> {
    const until = this.done + count;
    while (this.done < until) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  get done(): number {
    return [...this.doneBy.values()].reduce((sum, count) => sum + count, 0);
  }

  #serve(socket: Socket): void {
    const given = new Set<number>();
    let leaving = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.lost += given.size;
    });
    const lines = createInterface(socket).on('error', () => {});
    lines.on('line', (line) => {
      const [word, pid, job] = line.split(' ');
      if (word === 'leave') {
        leaving = true;
        // Between two jobs there is nothing to wait for.
        if (given.size === 0) socket.end();
      } else if (word === 'done') {
        given.delete(Number(job));
        this.doneBy.set(Number(pid), (this.doneBy.get(Number(pid)) ?? 0) + 1);
        for (const watcher of this.#watchers.splice(0)) watcher();
      } else if (!leaving) {
        this.#jobs += 1;
        given.add(this.#jobs);
        socket.write(`${this.#jobs}\n`);
      }
    });
  }
}

t.test('queue workers are reloaded one by one, and no job is lost', async (t) => {
  const broker = await Broker.start(t);
  const env = { BROKER: String(broker.port), WORK_MS: '50' };
  const holdfast = new Holdfast(t, app, { args: ['-i', '2', '--ready', 'running', '--min-uptime', '300ms'], env });
  await holdfast.message('started');
  t.match((await holdfast.status()).workers, [{ state: 'ready' }, { state: 'ready' }]);
  t.notMatch(holdfast.stderr, /try it/, 'there is nothing to ask it for');
  for (let times = 0; times < 3; times++) {
    await broker.work(5);
    const from = holdfast.log.length;
    t.equal((await holdfast.run('reload')).code, 0);
    const news = holdfast.log.slice(from).filter(({ msg }) => msg === 'worker ready' || msg === 'worker draining');
    t.same(
      news.map(({ msg }) => msg),
      ['worker ready', 'worker draining', 'worker ready', 'worker draining'],
      'one by one',
    );
  }
  await broker.work(5);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(broker.lost, 0, `${broker.done} jobs by ${broker.doneBy.size} workers`);
  t.equal(broker.doneBy.size, 8);
  t.same(holdfast.lines('kill timeout'), []);
});

t.test('a release that ends before it has been up is rolled back, and a crash is replaced', async (t) => {
  const broker = await Broker.start(t);
  const dir = t.testdir({ '.env': `BROKER=${broker.port}\nWORK_MS=5\n` });
  const args = ['--ready', 'running', '--min-uptime', '5s', '--env-file', path.join(dir, '.env')];
  const holdfast = new Holdfast(t, app, { args });
  await holdfast.message('started');
  await writeFile(path.join(dir, '.env'), `BROKER=${broker.port}\nWORK_MS=5\nFAULT=start\n`);
  const { code, stderr, stdout } = await holdfast.run('reload');
  t.equal(code, 1);
  t.match(stderr + stdout, /no such queue/);
  await broker.work(1);
  const [{ pid } = { pid: null }] = (await holdfast.status()).workers;
  const from = holdfast.log.length;
  process.kill(pid ?? 0, 'SIGKILL');
  await holdfast.message('worker started', from);
  t.match((await holdfast.status()).workers, [{ restarts: 1 }]);
});

t.test('without the option the error names it, and a stop by SIGTERM is as under plain node', async (t) => {
  const broker = await Broker.start(t);
  const env = { BROKER: String(broker.port), WORK_MS: '5' };
  const { code, stderr } = await run(['start', app, '--ready-timeout', '2s'], { env });
  t.equal(code, 1);
  t.match(stderr, /it did not listen on any address.*set ready: running/s);
  const elsewhere = path.join(apps, 'listens-elsewhere.cjs');
  for (const [ELSEWHERE, reason] of [
    ['thread', /it listens on 127\.0\.0\.1:\d+ past holdfast, from a worker thread/],
    ['child', /a process that it has started, PID \d+ \(.*\), listens on 127\.0\.0\.1:\d+/],
  ] as const) {
    const args = ['start', elsewhere, '--ready-timeout', '8s'];
    const { code, stderr } = await run(args, { env: { ELSEWHERE, PORT: '0' } });
    t.equal(code, 1);
    t.match(stderr, reason);
  }
});

t.test('where several workers have a server in a thread, the one that does not get the port is told why', async (t) => {
  const env = { ELSEWHERE: 'thread', PORT: String(await freePort()) };
  const { code, stderr } = await run(
    ['start', path.join(apps, 'listens-elsewhere.cjs'), '-i', '2', '--ready-timeout', '8s'],
    { env },
  );
  t.equal(code, 1);
  t.match(stderr, /a server in a worker thread listens past holdfast.*have the main thread listen/);
});
