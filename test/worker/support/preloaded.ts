/**
 * A script as a worker runs it, with the preload and a supervisor of a few lines, and the same script by plain node: what both
 * print is to be the same. Ended by PID in teardown.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { AddressRequest, SharedRequest, WorkerMessage } from '../../../src/protocol/worker.js';

const PRELOAD = fileURLToPath(new URL('../../../dist/worker/preload.js', import.meta.url));

interface RawHandle {
  close(): void;
}
type Request = AddressRequest | Extract<SharedRequest, { kind: 'unix' }>;

export interface Setup {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** In the environment: the number of the process under this name. */
  readonly pidAs?: string;
  /** Negative where that address is refused. */
  readonly errnoOf?: (request: Request) => number;
  /** Told of each line at once. */
  readonly onLine?: (line: string, worker: Preloaded) => void;
}

export interface Outcome {
  readonly lines: readonly string[];
  readonly stderr: string;
  readonly code: number | null;
  readonly told: readonly WorkerMessage[];
}

/** Not t.testdir(): its paths are longer than the name of a unix socket may be. */
export function makeFolder(t: Test): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function runPlain(t: Test, script: string, setup: Setup = {}): Promise<Outcome> {
  return new Preloaded(t, script, setup, false).ended;
}

export function runPreloaded(t: Test, script: string, setup: Setup = {}): Promise<Outcome> {
  return new Preloaded(t, script, setup, true).ended;
}

export class Preloaded {
  readonly ended: Promise<Outcome>;
  readonly told: WorkerMessage[] = [];
  readonly pid: number;
  readonly #child;
  readonly #errnoOf;
  readonly #lines: string[] = [];
  /** Looks again whenever something has come. */
  readonly #looks = new Set<() => void>();
  readonly #custody = new Map<string, RawHandle>();

  constructor(t: Test, script: string, { env = {}, cwd, pidAs, errnoOf = () => 0, onLine }: Setup, isWorker: boolean) {
    const as = isWorker ? { HOLDFAST_WORKER: '1', HOLDFAST_SLOT: '0', NODE_UNIQUE_ID: '1' } : {};
    const args = [...(isWorker ? ['--require', PRELOAD] : []), '-e', script];
    // Of a shell that becomes the process the number is known beforehand.
    const shell = ['-c', `${pidAs === undefined ? '' : `${pidAs}=$$ `}exec "$0" "$@"`, process.execPath];
    const child = spawn('/bin/sh', [...shell, ...args], {
      env: { PATH: process.env.PATH ?? '', ...as, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...(cwd && { cwd }),
    });
    this.#child = child;
    this.#errnoOf = errnoOf;
    this.pid = child.pid ?? 0;
    t.teardown(() => {
      child.kill('SIGKILL');
      this.forget();
    });
    const lines = this.#lines;
    let stderr = '';
    if (child.stdout === null || child.stderr === null) throw new Error('no output streams');
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      onLine?.(line, this);
      this.#look();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('internalMessage', (message: WorkerMessage) => {
      this.#hear(message);
      this.#look();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => resolve({ lines, stderr, code, told: this.told }));
    });
  }

  /** The first line like that. @throws where it ends before */
  line(like: RegExp): Promise<string> {
    return this.#until(() => this.#lines.find((line) => like.test(line)));
  }

  /** What it has told the supervisor, for the nth time. */
  tells(type: WorkerMessage['type'], times = 1): Promise<WorkerMessage> {
    return this.#until(() => this.told.filter((message) => message.type === type)[times - 1]);
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      const moved = new Promise<undefined>((resolve) => this.#looks.add(() => resolve(undefined)));
      const ended = await Promise.race([moved, this.ended]);
      if (ended !== undefined) throw new Error(`it has ended: ${ended.lines.join(', ')} ${ended.stderr}`);
    }
  }

  #look(): void {
    const looks = [...this.#looks];
    this.#looks.clear();
    for (const look of looks) look();
  }

  /** To the application. */
  tell(message: string): void {
    this.#child.send(message, () => {});
  }

  /** Closes what is in custody, names included. */
  forget(): void {
    for (const handle of this.#custody.values()) handle.close();
    this.#custody.clear();
  }

  send(message: object, handle?: RawHandle): void {
    this.#child.send({ cmd: 'NODE_HOLDFAST', ...message }, handle as never, () => {});
  }

  #hear(message: WorkerMessage): void {
    if (message.cmd !== 'NODE_HOLDFAST') return;
    this.told.push(message);
    if (message.type !== 'listen' && message.type !== 'share') return;
    const { seq, request } = message;
    if ('kind' in request && request.kind === 'udp') return;
    const key = JSON.stringify({ ...request, umask: undefined });
    const errno = this.#errnoOf(request);
    const handle = errno === 0 ? this.#find(key, request) : errno;
    if (typeof handle === 'number') this.send({ type: 'socket', seq, key, errno: handle });
    else this.send({ type: 'socket', seq, key, errno: 0 }, handle);
  }

  #find(key: string, request: Request): RawHandle | number {
    const found = this.#custody.get(key);
    if (found !== undefined) return found;
    const seam = net as unknown as {
      _createServerHandle(address: string, port: number, type: number): RawHandle | number;
    };
    const handle =
      'kind' in request
        ? seam._createServerHandle(request.path, -1, -1)
        : seam._createServerHandle(request.host ?? '::', request.port, request.host === null ? 6 : request.family);
    if (typeof handle !== 'number') this.#custody.set(key, handle);
    return handle;
  }
}
