/** A real Prometheus (Debian's package) that scrapes one address, and is asked what it has stored. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { freePort } from '../../support/ports.js';

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}

export interface Prometheus {
  query(expression: string): Promise<readonly Series[]>;
  /** Waits until it has stored another scrape of all its targets from now on, and says what went wrong with the last one. */
  scraped(): Promise<void>;
}

interface Target {
  readonly lastScrape: string;
  readonly lastError: string;
  readonly health: string;
}

/** @param features as for `--enable-feature` */
export async function startPrometheus(t: Test, admin: number, features: readonly string[] = []): Promise<Prometheus> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-prometheus-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const port = await freePort();
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets: [`127.0.0.1:${admin}`] }] }],
  };
  // JSON is YAML as well.
  writeFileSync(path.join(dir, 'prometheus.yml'), JSON.stringify(config));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${path.join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
      ...(features.length > 0 ? [`--enable-feature=${features.join(',')}`] : []),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const gone = once(child, 'exit');
  const lastResort = () => child.kill('SIGKILL');
  process.once('exit', lastResort);
  t.teardown(async () => {
    process.removeListener('exit', lastResort);
    child.kill('SIGKILL');
    await gone;
  });
  const ask = async (what: string): Promise<never> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${what}`);
    const answer = (await response.json()) as { status: string; data: never; error?: string };
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  };
  const query = async (expression: string) =>
    ((await ask(`query?query=${encodeURIComponent(expression)}`)) as { result: readonly Series[] }).result;
  const scraped = async () => {
    // Both use the clock of this machine.
    const from = Date.now();
    for (;;) {
      if (child.exitCode !== null) throw new Error(`Prometheus has ended: ${said}`);
      const found = await ask('targets?state=active').catch(() => null);
      const [target] = (found as { activeTargets: readonly Target[] } | null)?.activeTargets ?? [];
      // One that came too late is no fault of what is scraped, where others have the processors: there is a next one.
      if (target?.lastError && !/deadline exceeded/.test(target.lastError)) {
        throw new Error(`cannot scrape: ${target.lastError}`);
      }
      if (target?.health === 'up' && Date.parse(target.lastScrape) > from) return;
      await sleep(100);
    }
  };
  await scraped();
  return { query, scraped };
}
