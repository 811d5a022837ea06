/** A supervisor that does what a test says, behind a real control socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { ControlServer } from '../../../src/control/server/server.js';
import { HoldfastError } from '../../../src/errors.js';
import { lineFilter } from '../../../src/logs/lines/filter.js';
import type {
  ControlLine,
  ControlResult,
  ControlTarget,
  DescribeOptions,
  Description,
  InspectOptions,
  LeaveOptions,
  ProfileOptions,
  ReloadOptions,
  UpgradeOptions,
} from '../../../src/protocol/control.js';
import type { SupervisorEvent } from '../../../src/protocol/events.js';
import type { LogFilter, LogQuery, RecentLogs } from '../../../src/protocol/logs.js';
import type { SupervisorStatus } from '../../../src/protocol/status.js';

type Progress = (line: ControlLine & { type: 'progress' }) => void;

export const OK: ControlResult = { ok: true, message: 'reloaded', reason: null };

export function statusOf(name: string, more: Partial<SupervisorStatus> = {}): SupervisorStatus {
  return {
    name,
    pid: process.pid,
    version: '1.2.3',
    nodeVersion: 'v20.0.0',
    state: 'running',
    uptimeMs: 65_000,
    script: '/srv/app/server.js',
    listenMode: 'reuseport',
    listenModeReason: 'the kernel balances',
    steering: false,
    steeringReason: 'not asked for',
    affinity: 'none',
    generation: 3,
    size: 2,
    addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 3000, sockets: [] }],
    rollout: { state: 'none', reason: null, from: null, to: null, canary: null, trial: null },
    crashLoop: false,
    totals: { restarts: { crashed: 0, failed: 0, hung: 0, recycled: 0 }, rollouts: { done: 0, rolledBack: 0 } },
    handover: { on: true, reason: 'tested', handed: 0, refused: 0, takenBack: 0, stayed: {} },
    cutOff: {},
    cpuPercent: 0.5,
    rssBytes: 50 * 1024 * 1024,
    workers: [],
    ...more,
  };
}

export const SNAPSHOT: SupervisorEvent = {
  id: 7,
  type: 'snapshot',
  name: 'shop',
  state: 'running',
  generation: 3,
  size: 2,
  crashLoop: false,
  rollout: { state: 'none', from: null, to: null, reason: null, replaced: 0, canary: null },
  workers: [{ worker: 5, slot: 0, generation: 3, pid: 4711, state: 'ready' }],
};

export class FakeTarget implements ControlTarget {
  readonly calls: string[] = [];
  /** What it remembers. */
  recent: string[] = [];
  logFile: string | null = null;
  readonly followers = new Set<(line: string) => void>();
  /** What every request does. */
  perform: (progress: Progress) => Promise<ControlResult> = async () => OK;
  readonly eventReaders = new Set<(event: SupervisorEvent) => void>();
  answerStatus: () => Promise<SupervisorStatus>;
  onFollow: () => void = () => {};

  constructor(name: string) {
    this.answerStatus = async () => statusOf(name);
  }

  status(): Promise<SupervisorStatus> {
    return this.answerStatus();
  }

  reload(progress: Progress, options: ReloadOptions = {}): Promise<ControlResult> {
    const words = Object.keys(options).length === 0 ? '' : ` ${JSON.stringify(options)}`;
    this.calls.push(`reload${words}`);
    return this.perform(progress);
  }

  promote(progress: Progress): Promise<ControlResult> {
    this.calls.push('promote');
    return this.perform(progress);
  }

  abort(progress: Progress): Promise<ControlResult> {
    this.calls.push('abort');
    return this.perform(progress);
  }

  restart(progress: Progress): Promise<ControlResult> {
    this.calls.push('restart');
    return this.perform(progress);
  }

  scale(change: string, progress: Progress): Promise<ControlResult> {
    this.calls.push(`scale ${change}`);
    return this.perform(progress);
  }

  stop(progress: Progress): Promise<ControlResult> {
    this.calls.push('stop');
    return this.perform(progress);
  }

  upgrade(progress: Progress, options: UpgradeOptions = {}): Promise<ControlResult> {
    this.calls.push(`upgrade ${JSON.stringify(options)}`);
    return this.perform(progress);
  }

  leave(progress: Progress, options: LeaveOptions = {}): Promise<ControlResult> {
    this.calls.push(`leave ${JSON.stringify(options)}`);
    return this.perform(progress);
  }

  /** What it is asked to describe. */
  answerDescribe: (options: DescribeOptions) => Promise<Description> = async () => {
    throw new HoldfastError('NO_WORKER', 'there is no worker');
  };

  describe(options: DescribeOptions): Promise<Description> {
    this.calls.push(`describe ${JSON.stringify(options)}`);
    return this.answerDescribe(options);
  }

  profile(options: ProfileOptions, progress: Progress): Promise<ControlResult> {
    this.calls.push(`profile ${options.what} ${options.of} ${options.forMs}`);
    return this.answerProfile(options, progress);
  }

  answerProfile = async (_options: ProfileOptions, progress: Progress): Promise<ControlResult> =>
    this.perform(progress);

  inspect({ of }: InspectOptions, progress: Progress, gone: AbortSignal): Promise<ControlResult> {
    this.calls.push(`inspect ${of}`);
    return this.answerInspect(progress, gone);
  }

  answerInspect = async (progress: Progress, _gone: AbortSignal): Promise<ControlResult> => this.perform(progress);

  followLogs(onLine: (line: string) => void, filter: LogFilter = {}): () => void {
    const fits = lineFilter(filter);
    const follower = (line: string) => {
      if (fits === null || fits(line)) onLine(line);
    };
    this.followers.add(follower);
    this.onFollow();
    return () => this.followers.delete(follower);
  }

  recentLogs({ lines, ...filter }: LogQuery): RecentLogs {
    const fits = lineFilter(filter) ?? (() => true);
    return {
      lines: this.recent.filter(fits).slice(this.recent.length === 0 || lines === 0 ? this.recent.length : -lines),
      logFile: this.logFile,
    };
  }

  followEvents(onEvent: (event: SupervisorEvent) => void): () => void {
    this.eventReaders.add(onEvent);
    onEvent(SNAPSHOT);
    return () => this.eventReaders.delete(onEvent);
  }

  tell(event: SupervisorEvent): void {
    for (const reader of [...this.eventReaders]) reader(event);
  }

  log(line: string): void {
    for (const follower of this.followers) follower(line);
  }
}

/** A promise with its handles outside. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Short, unlike t.testdir(): the path of a unix socket must fit into 107 bytes. */
export function makeFolder(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface Opened {
  readonly dir: string;
  readonly target: FakeTarget;
  readonly server: ControlServer;
}

export async function open(t: Test, name = 'shop', dir = makeFolder(t)): Promise<Opened> {
  const target = new FakeTarget(name);
  const server = await ControlServer.open({ dir, name, target });
  t.teardown(() => server.close());
  return { dir, target, server };
}
