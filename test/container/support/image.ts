/**
 * Builds an image of a Dockerfile without docker, and runs it as a container: each stage is an overlay over this very
 * machine, which stands for the base image, so that RUN and COPY do what they do in a real build. Needs root.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { execForm, type Instruction, ignoring, parseDockerfile } from './dockerfile.js';

export interface Image {
  /** The files that the image has beyond its base. */
  readonly files: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  readonly stopSignal: NodeJS.Signals;
}

/** In namespaces of its own; its mounts go with it. */
export const ISOLATED = ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL'];
const PATH = `${path.dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** @returns why no image can be built here; null if it can */
export function whyNot(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'an image can only be built by root on Linux';
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-image-'));
  try {
    for (const name of ['upper', 'work', 'root']) mkdirSync(path.join(dir, name));
    const { status, stderr } = isolated(
      `${mounting(layersIn(dir))}\nexec chroot ${dir}/root setpriv --reuid 1 node --version`,
    );
    return status === 0 ? null : `no overlay of this machine can be made: ${stderr}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param context the folder that the build is given */
export function buildImage(t: Test, context: string, dockerfile = path.join(context, 'Dockerfile')): Image {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-image-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const sent = path.join(dir, 'context');
  sendContext(context, sent);
  const built = new Map<string, string>();
  let image: Image | undefined;
  for (const [i, stage] of parseDockerfile(readFileSync(dockerfile, 'utf8')).entries()) {
    const folder = path.join(dir, String(i));
    for (const name of ['upper', 'work', 'root']) mkdirSync(path.join(folder, name), { recursive: true });
    const files = path.join(folder, 'upper');
    let now: Image = {
      files,
      env: { PATH },
      workdir: '/',
      user: '0',
      command: [],
      healthcheck: [],
      stopSignal: 'SIGTERM',
    };
    const command = { entrypoint: [] as string[], words: [] as string[] };
    for (const step of stage.steps) {
      if (step.name === 'COPY') copy(step, now, built.get(step.flags.from ?? '') ?? sent);
      else if (step.name === 'RUN') execute(step, now, folder);
      else if (step.name === 'ENTRYPOINT') command.entrypoint = execForm(step.text);
      else if (step.name === 'CMD') command.words = execForm(step.text);
      else now = { ...now, ...setting(step, now) };
      if (step.name === 'WORKDIR') mkdirSync(path.join(files, now.workdir), { recursive: true });
    }
    image = { ...now, command: [...command.entrypoint, ...command.words] };
    if (stage.name !== null) built.set(stage.name, files);
  }
  if (image === undefined) throw new Error('the Dockerfile has no stage');
  return image;
}

function setting({ name, text }: Instruction, { env }: Image): Partial<Image> {
  if (name === 'WORKDIR') return { workdir: text };
  if (name === 'USER') return { user: text };
  if (name === 'STOPSIGNAL') return { stopSignal: text as NodeJS.Signals };
  if (name === 'HEALTHCHECK') return { healthcheck: execForm(text.replace(/^CMD /, '')) };
  if (name === 'EXPOSE') return {};
  const pairs = text.split(/\s+/).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return { env: { ...env, ...Object.fromEntries(pairs) } };
}

/** As docker does: what .dockerignore names is not there for the build. */
function sendContext(from: string, to: string): void {
  const list = path.join(from, '.dockerignore');
  const { isIgnored, isEntered } = ignoring(existsSync(list) ? readFileSync(list, 'utf8') : '');
  const send = (folder: string) => {
    for (const entry of readdirSync(path.join(from, folder), { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (entry.isDirectory()) {
        if (name !== 'node_modules' && name !== '.git' && isEntered(name)) send(name);
      } else if (!isIgnored(name)) cpSync(path.join(from, name), path.join(to, name));
    }
  };
  send('');
}

/** Fails where there is nothing to copy, as docker does. A folder is copied by what is in it. */
function copy({ text }: Instruction, { files, workdir }: Image, from: string): void {
  const words = text.split(/\s+/);
  const last = words.pop() ?? '';
  const target = path.join(files, path.resolve(workdir, last));
  for (const word of words) {
    const source = path.join(from, word);
    const inFolder = last.endsWith('/') && !statSync(source).isDirectory();
    cpSync(source, inFolder ? path.join(target, path.basename(word)) : target, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

function execute({ text }: Instruction, { env, workdir }: Image, folder: string): void {
  const home = os.homedir();
  const script = [
    mounting(layersIn(folder)),
    // The packages that were downloaded before, so that a build needs the network only for those that are new.
    `mkdir -p ${home}/.npm && mount --bind ${home}/.npm ${folder}/root${home}/.npm`,
    `exec chroot ${folder}/root env -i ${pairs({ ...env, HOME: home, npm_config_prefer_offline: 'true' })} ` +
      `sh -c ${quote(`cd ${workdir} && ${text}`)}`,
  ];
  const { status, stderr, stdout } = isolated(script.join('\n'));
  if (status !== 0) throw new Error(`RUN ${text}\nended with ${status}:\n${stdout}\n${stderr}`);
}

function layersIn(folder: string) {
  return { files: path.join(folder, 'upper'), work: path.join(folder, 'work'), root: path.join(folder, 'root') };
}

/** @param at the work folder must be empty, and on the file system of the files; see overlayfs of the kernel's documents */
function mounting(at: { readonly files: string; readonly work: string; readonly root: string }): string {
  return [
    'set -eu',
    `mount -t overlay overlay -o lowerdir=/,upperdir=${at.files},workdir=${at.work} ${at.root}`,
    `mount -t proc proc ${at.root}/proc`,
    `mount --rbind /dev ${at.root}/dev`,
  ].join('\n');
}

function isolated(script: string) {
  const [command = '', ...rest] = ISOLATED;
  return spawnSync(command, [...rest, 'sh', '-c', script], { encoding: 'utf8', maxBuffer: 2 ** 24 });
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  /** In place of the image's. */
  readonly command?: readonly string[];
}

/**
 * A container: PID namespace, read-only root, `--tmpfs /run/holdfast`, no capability, no shell that could be run. It shares
 * the network of this machine.
 */
export class Container {
  readonly child: ChildProcess;
  readonly closed: Promise<number | null>;
  output = '';
  readonly #image: Image;
  readonly #privileges: readonly string[];
  readonly #env: Readonly<Record<string, string>>;

  constructor(t: Test, image: Image, { env = {}, user = image.user, command = image.command }: RunOptions = {}) {
    this.#image = image;
    this.#env = { ...image.env, ...env };
    const [uid = '', gid = uid] = user.split(':');
    this.#privileges = ['setpriv', '--reuid', uid, '--regid', gid, '--clear-groups', '--no-new-privs'];
    this.#privileges = [...this.#privileges, '--inh-caps=-all', '--bounding-set=-all'];
    const root = mkdtempSync(path.join(os.tmpdir(), 'hf-root-'));
    const script = [
      'set -eu',
      mounting({ files: image.files, work: path.join(image.files, '../work'), root }),
      `mount -o remount,ro ${root}`,
      // The runtimes give it the mode of the folder that it is mounted on, and to root.
      `mount -t tmpfs -o mode=${(statSync(path.join(image.files, 'run/holdfast')).mode & 0o7777).toString(8)} tmpfs ${root}/run/holdfast`,
      ...shells().map((shell) => `mount --bind /dev/null ${root}${shell}`),
      `exec chroot ${root} ${words([...this.#privileges, ...this.#inside(command)])}`,
    ].join('\n');
    const [first = '', ...rest] = ISOLATED;
    this.child = spawn(first, [...rest, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.closed = once(this.child, 'close').then(([code]) => code as number | null);
    t.teardown(async () => {
      this.child.kill('SIGKILL');
      await this.closed;
      rmSync(root, { recursive: true });
    });
  }

  /** As `docker exec`. @returns the exit code */
  async exec(command: readonly string[]): Promise<number | null> {
    const enter = ['-t', String(this.pid), '-m', '-p', '-r', ...this.#privileges, ...this.#inside(command)];
    const child = spawn('nsenter', enter, { stdio: 'ignore' });
    const [code] = (await once(child, 'close')) as [number | null];
    return code;
  }

  stop(): void {
    process.kill(this.pid, this.#image.stopSignal);
  }

  /** Of its PID 1, outside. */
  get pid(): number {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) continue;
      const text = readFileSync(`/proc/${name}/stat`, 'latin1');
      if (Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) === this.child.pid) return Number(name);
    }
    throw new Error(`the container has ended:\n${this.output}`);
  }

  #inside(command: readonly string[]): string[] {
    const assigned = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    return ['env', '-i', `--chdir=${this.#image.workdir}`, ...assigned, ...command];
  }
}

function shells(): string[] {
  const names = ['sh', 'bash', 'dash', 'ash', 'busybox'].map((name) => `/bin/${name}`);
  return [...new Set(names.filter((name) => existsSync(name)).map((name) => realpathSync(name)))];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function words(list: readonly string[]): string {
  return list.map(quote).join(' ');
}

function pairs(env: Readonly<Record<string, string>>): string {
  return words(Object.entries(env).map(([name, value]) => `${name}=${value}`));
}
