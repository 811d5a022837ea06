/** Services of a systemd, and what is asked of them from inside and outside. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { Load } from '../../e2e/support/load.js';
import { udpAsker } from '../../e2e/support/udp-asker.js';
import { openLab } from './lab.js';

export const lab = openLab('service', 'host');

const { run } = lab;

export const node = process.execPath;

export const HOLDFAST = '/opt/holdfast/bin/holdfast.js';

export const APPS = '/opt/holdfast/test/fixtures/apps';

export const inside = (words: readonly string[], input?: string) => run(['exec', ...words], input);

export const shell = (script: string, input?: string) => inside(['sh', '-ec', script], input);

export const show = async (name: string, property: string) =>
  (await inside(['systemctl', 'show', '-P', property, name])).stdout.trim();

export async function systemctl(...words: string[]): Promise<void> {
  const { code, stderr } = await inside(['systemctl', ...words]);
  if (code !== 0) throw new Error(`systemctl ${words.join(' ')}: ${stderr}`);
}

/** Units as `holdfast unit` makes them, with the few lines that the test needs. */
export async function install(t: Test, name: string, words: readonly string[], more = '', app = 'busy'): Promise<void> {
  const made = await inside([
    ...[node, HOLDFAST, 'unit', `${APPS}/${app}.cjs`, '--name', name, '--output', '/etc/systemd/system'],
    ...['--env', 'BUSY_MS=4', ...words],
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
  const folder = `/etc/systemd/system/${name}.service.d`;
  const lines = `[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n${more}`;
  await shell(`mkdir -p ${folder} && cat > ${folder}/test.conf && systemctl daemon-reload`, lines);
  t.teardown(() => inside(['systemctl', 'stop', `${name}.socket`, name]));
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within 20 s: ${what}`);
    await delay(50);
  }
}

/** Restarts and kills of a service with the application `passed.cjs`, under load from outside. */
export async function keptOver(t: Test, name: string, socket: string, port: number): Promise<void> {
  const socketPath = `/proc/${(await run(['pid'])).stdout.trim()}/root${socket}`;
  let load = new Load({ socketPath, fresh: 4, keepAlive: 0 });
  t.teardown(() => load.stop());
  const ask = await udpAsker(t, port);
  for (let i = 0; i < 3; i++) {
    await systemctl('restart', name);
    t.match(await ask(`restart ${i}`), new RegExp(` restart ${i}$`));
  }
  await load.stop();
  t.same(load.errors, {}, `3 restarts: ${load.summary()}`);
  // Who waits in the queue waits until systemd has started everything again, however long a busy machine takes.
  load = new Load({ socketPath, fresh: 4, keepAlive: 0, timeoutMs: 60_000 });
  for (let i = 0; i < 3; i++) {
    const pid = await show(name, 'MainPID');
    // Nobody takes the datagram before the kill.
    await systemctl('kill', '-s', 'STOP', name);
    const answer = ask(`kill ${i}`);
    // Workers that are left and stand still are waited for, 5 s: the first time. Then they go as well.
    if (i === 0) await inside(['kill', '-9', pid]);
    else await systemctl('kill', '-s', 'KILL', name);
    t.match(await answer, new RegExp(` kill ${i}$`), 'it has waited');
    await isUp(name);
  }
  await load.stop();
  const { ENOENT = 0, ECONNREFUSED = 0, timeout = 0, ...inWorkers } = load.errors;
  t.same({ ENOENT, ECONNREFUSED, timeout }, { ENOENT: 0, ECONNREFUSED: 0, timeout: 0 }, `3 kills: ${load.summary()}`);
  const lost = Object.values(inWorkers).reduce((sum, count) => sum + count, 0);
  t.ok(lost <= 3 * 4, `${lost} requests were inside of workers: at most one of each client for each kill`);
  t.ok(load.answers.length > 20, `${load.answers.length} answers`);
}

export const isUp = (name: string) =>
  until(`${name} is up`, async () => (await show(name, 'ActiveState')) === 'active');
