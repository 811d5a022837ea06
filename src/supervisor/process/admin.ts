/** Opens the admin address, and answers it for the supervisor. */
import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/config.js';
import { readToken } from '../../config/text/token-file.js';
import { AdminServer } from '../../control/admin/admin.js';
import { AdminPage } from '../../control/admin/page.js';
import { HoldfastError } from '../../errors.js';
import { ownFile } from '../../platform/own-package.js';
import type { PageCommand } from '../../protocol/page.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { findOwner } from '../../sockets/address/owner.js';
import { BindError } from '../../sockets/bind/bind-error.js';
import type { Supervisor } from '../supervisor.js';

/** @param fd listens there already. @throws BindError where it cannot listen there; HoldfastError where a token cannot be read */
export async function openAdmin(
  { admin, adminNames: names, adminTokenFile, adminMetricsTokenFile }: Config,
  supervisor: Supervisor,
  fd?: number,
): Promise<AdminServer | null> {
  if (admin === null) return null;
  const { host, port } = admin;
  const tokens = {
    admin: await tokenOf('adminTokenFile', adminTokenFile),
    metrics: await tokenOf('adminMetricsTokenFile', adminMetricsTokenFile),
  };
  const [observer, { PageFeed }, readPage] = await Promise.all([
    supervisor.observing.observer(),
    import('../observe/page-feed.js'),
    pageReader(),
  ]);
  const pageFeed = new PageFeed({
    ...{ known: supervisor.before, before: observer.pageFeedBefore },
    outline: () => supervisor.outline(),
    followEvents: supervisor.followEvents.bind(supervisor),
    followLogs: supervisor.followLogs.bind(supervisor),
    recentLogs: (lines) => supervisor.recentLogs({ lines, follow: false }).lines,
  });
  observer.begin(pageFeed);
  let underWay: Promise<SupervisorStatus> | null = null;
  // The workers are asked once for all who want to know at the same time.
  const status = () => {
    underWay ??= supervisor.status().finally(() => {
      underWay = null;
    });
    return underWay;
  };
  const target = {
    probe: supervisor.probe.bind(supervisor),
    status,
    metrics: observer.page.bind(observer),
    follow: pageFeed.follow.bind(pageFeed),
    command: (name: PageCommand, size: string) =>
      name === 'scale' ? supervisor.scale(size, unheard) : supervisor[name](unheard),
  };
  try {
    return await AdminServer.open({ host, port, names, tokens, target, readPage, fd });
  } catch (cause) {
    const { errno, code } = cause as NodeJS.ErrnoException;
    if (errno === undefined) throw cause;
    const owner = code === 'EADDRINUSE' ? await findOwner(host, port) : null;
    const hint = code === 'EADDRINUSE' ? 'stop that process, or choose another address with --admin' : undefined;
    throw new BindError({ host, port }, errno, { owner, cause, hint });
  }
}

/** Who asks over the admin address hears how it goes on by the page's stream. */
const unheard = (): void => {};

/**
 * The files of the page, read now: 30 kB. By the time that somebody opens it the installation may be gone, or another version's. What
 * cannot be read is told to who asks for it.
 */
async function pageReader(): Promise<(name: string) => Promise<Buffer>> {
  const files = new Map(AdminPage.names.map((name) => [name, readFile(ownFile(`dist/page/${name}.br`))]));
  await Promise.allSettled(files.values());
  return (name) => files.get(name) ?? Promise.reject(new Error(`there is no ${name}`));
}

/** A length that nobody guesses, and no character that a shell or a header minds. */
const TOKEN_HINT = 'to make one: openssl rand -hex 32 > FILE && chmod 600 FILE';

async function tokenOf(option: string, file: string | null): Promise<string | null> {
  if (file === null) return null;
  return readToken(file).catch((cause: Error) => {
    throw new HoldfastError('START_FAILED', `cannot use ${option}: it ${cause.message}`, { hint: TOKEN_HINT, cause });
  });
}
