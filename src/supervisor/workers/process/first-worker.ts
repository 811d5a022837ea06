/**
 * The first worker of a supervisor, forked before there is one. It may load its application, and must not listen: its
 * question for a socket waits in its channel until the supervisor reads it.
 */
import { existsSync } from 'node:fs';
import type { Config } from '../../../config/config.js';
import { controlSocketPath, probeSocket } from '../../../control/socket-path.js';
import type { ServiceEnvironment } from '../../../systemd/environment.js';
import { type Release, resolveRelease } from '../../deployments/release.js';
import { attachAt, attachPath, statePath } from '../../takeover/orphans/orphans.js';
import { Fork, type WorkerIdentity } from './fork.js';

export interface FirstWorkerOptions {
  readonly config: Config;
  readonly runtimeDir: string;
  readonly environment: ServiceEnvironment;
}

export class FirstWorker {
  /** By which it was started. */
  readonly release: Release;
  readonly #fork: Fork;
  readonly #identity: WorkerIdentity;
  #taken = false;
  readonly #discard = () => this.discard();

  constructor(identity: WorkerIdentity, release: Release, runtimeDir: string) {
    this.#identity = identity;
    this.release = release;
    this.#fork = new Fork(identity, release, { attachAt: attachAt(release.config, runtimeDir) });
    // A signal may end the process at any moment.
    process.once('exit', this.#discard);
  }

  /** For whoever is to fork this very worker; null for any other, and the second time. */
  take({ worker, slot, generation }: WorkerIdentity): Fork | null {
    const own = this.#identity;
    if (this.#taken || worker !== own.worker || slot !== own.slot || generation !== own.generation) return null;
    this.#taken = true;
    process.removeListener('exit', this.#discard);
    return this.#fork;
  }

  /** Ends it if nobody has taken it: the supervisor has not come to be. It has served nobody. */
  discard(): void {
    if (this.#taken) return;
    this.#taken = true;
    this.#fork.destroy();
  }
}

/** @returns null where it must not be forked yet, or cannot be: then the supervisor does it, and tells what is wrong */
export async function forkFirstWorker(options: FirstWorkerOptions): Promise<FirstWorker | null> {
  const { config, runtimeDir, environment } = options;
  try {
    if (config.exec) return null;
    // Sockets that were passed are still open for every child: the supervisor closes them to its workers.
    if (environment.fdNames.length > 0) return null;
    const { name } = config;
    // An application that is started twice by mistake must not even begin the second time. Nor where a supervisor has been killed:
    // its workers are taken over, and this one would be one too many. A supervisor that ends takes all of these away.
    if ((await probeSocket(controlSocketPath(runtimeDir, name))) !== 'missing') return null;
    if ([attachPath(runtimeDir, name), statePath(runtimeDir, name)].some((left) => existsSync(left))) return null;
    const release = await resolveRelease(1, config);
    return new FirstWorker({ worker: 1, slot: 0, generation: 1, name: config.name }, release, runtimeDir);
  } catch {
    return null;
  }
}
