/**
 * Runs in every worker before the application, by `--require`. Has no dependencies, must not throw, and leaves no trace
 * that the application could see: it takes itself out of `process.execArgv`, the environment and the module cache.
 *
 * Processes and threads that the application starts inherit the option, but not the variable: there it does nothing.
 */
import path from 'node:path';
import type { SupervisorMessage } from '../protocol/worker.js';
import { Application } from './application/api.js';
import { Resignation } from './application/resign.js';
import { openChannel } from './channel/channel.js';
import { Connections, serverKind } from './connections/connections.js';
import { Figures } from './connections/figures.js';
import { askHealth } from './connections/health.js';
import { stampOf } from './connections/stamp.js';
import { Tickets } from './connections/tickets.js';
import { Datagrams } from './datagrams/datagrams.js';
import { shareExclusiveDatagrams } from './datagrams/exclusive-datagrams.js';
import { Drain } from './drain/drain.js';
import { endAlone } from './drain/orphan-end.js';
import { Handover } from './handover/handover.js';
import { shareExclusive, tellOfThreads } from './listen/exclusive.js';
import { KeptPaths } from './listen/kept-paths.js';
import { Listeners } from './listen/listen.js';
import { OwnPaths } from './listen/paths.js';
import type { Measure, MeasureSources } from './measure.js';
import type { TcpHandle } from './node/handle.js';
import type { PipeHandle } from './node/pipe.js';
import { takeChildrenAlong } from './outlive/left-behind.js';
import { Outlive, termsFrom } from './outlive/outlive.js';
import type { OutputEnd } from './outlive/own-output.js';
import { endProfile, openInspector, takeProfile } from './profile.js';

try {
  if (process.env.HOLDFAST_WORKER !== undefined) install();
  else if (process.env.HOLDFAST_SLOT !== undefined && isThread()) tellOfThreads();
} catch (error) {
  // The application comes first: it runs as under node:cluster, without what holdfast adds.
  process.channel?.ref();
  process.emitWarning(`holdfast cannot prepare this worker: ${reasonOf(error)}`);
} finally {
  leaveNoTrace();
}

function install(): void {
  // Should its event loop ever hang, the inspector is to open on a port that is free, not on 9229 in all workers.
  process.debugPort = 0;
  const channel = openChannel((message, handle) => receive(message, handle));
  if (channel === undefined) return;
  const own = identity();
  const tickets = new Tickets();
  const connections: Connections = new Connections((server) => listeners.has(server));
  const keptPaths = new KeptPaths(process.env.HOLDFAST_PATHS);
  const ownPaths = new OwnPaths();
  const listeners: Listeners = new Listeners(channel, keptPaths, ownPaths, (server) => {
    connections.watch(server);
    tickets.watch(server);
  });
  const application = new Application();
  const handover: Handover = new Handover({
    ...{ channel, listeners, connections, application },
    isDraining: () => drain.isDraining,
    onMissing: (what) => tellMissing(what),
  });
  const datagrams = new Datagrams(channel);
  const resignation = new Resignation();
  const drain: Drain = new Drain({ channel, listeners, connections, application, handover, datagrams, resignation });
  const figures = new Figures();
  let orphan: Outlive | undefined;
  /** Each by itself: what this Node does not have must cost nothing else. */
  const missing: string[] = [];
  const attempt = (what: string, act: () => void) => {
    try {
      act();
      return true;
    } catch (error) {
      missing.push(`${what}: ${reasonOf(error)}`);
      return false;
    }
  };
  const listens = attempt('sockets in custody', () => listeners.install());
  // Its servers are then node:cluster's, which need the channel to be there.
  if (!listens) channel.hold();
  else attempt('outliving the supervisor', () => outlive(own));
  if (listens) attempt('exclusive servers', () => shareExclusive());
  if (listens)
    attempt('cluster.worker.disconnect', () => resignation.install(() => channel.send({ type: 'resigned' })));
  attempt('names of unix sockets', () => keptPaths.install());
  attempt('folders by mkdtemp', () => ownPaths.install());
  attempt('datagrams', () => datagrams.install());
  if (listens) attempt('exclusive datagrams', () => shareExclusiveDatagrams());
  attempt('figures', () => figures.install());
  if (process.env.HOLDFAST_CHILDREN !== 'kept') takeChildrenAlong(resignation);
  attempt('connections', () => connections.install());
  attempt('the public API', () => application.publish(own, channel));
  let measure: Measure | undefined;
  const loadMeasure = () => {
    // By a name that no bundler follows: most workers are measured by nobody.
    const file = path.join(__dirname, 'measure.js');
    const { Measure: Class } = require(file) as { Measure: new (sources: MeasureSources) => Measure };
    // The application may be running already: it is not to find it among its modules.
    delete require.cache[file];
    measure ??= new Class({
      ...{ figures, connections },
      latency: () => figures.read().latency,
      stampOf,
      kindOf: serverKind,
      countConnections: () => listeners.countConnections(),
      countKinds: () => connections.counts(),
      registries: () => application.registries,
    });
    return measure;
  };
  let lacksMeasure = process.env.HOLDFAST_MEASURE === 'on' && !attempt('measurements', loadMeasure);
  const tellMissing = (what: string) => {
    missing.push(what);
    channel.send({ type: 'able', missing, listens });
  };
  listeners.onMissing = tellMissing;
  channel.send({ type: 'able', missing, listens });

  function outlive(own: ReturnType<typeof identity>): void {
    const terms = termsFrom(process.env.HOLDFAST_ATTACH);
    if (terms === undefined) return;
    const account = () => {
      const { sockets, listening, ...rest } = listeners.account(own.slot);
      const open = datagrams.account();
      const keys = open.map(({ key }) => key);
      const shared = open.filter(({ handle }) => handle !== null);
      return {
        ...{ ...rest, missing, draining: drain.isDraining, drained: drain.isDrained },
        listening: [...listening, ...keys],
        steady: [...rest.steady, ...keys],
        sockets: [...sockets, ...shared.map(({ key, handle }) => ({ key, slot: own.slot, handle }))],
      };
    };
    const onAttached = () => listeners.releaseOthers(own.slot);
    const onAbandoned = () => endAlone(drain, terms);
    const it = new Outlive({ terms, identity: own, account, onAttached, onAbandoned });
    it.install();
    orphan = it;
  }

  function receive(message: SupervisorMessage, handle: TcpHandle | undefined): void {
    switch (message.type) {
      case 'socket':
        if (datagrams.answer(message.seq, message.key, message.errno, handle, message.hold ?? false)) return;
        listeners.answer(message.seq, message.key, message.errno, handle, message);
        return;
      case 'accept':
        listeners.accept();
        datagrams.accept();
        return;
      case 'adopt':
        if (handle !== undefined) listeners.adopt(message.slot, message.key, handle, message.under);
        return;
      case 'release':
        listeners.release(message.slot, message.key);
        return;
      case 'link':
        handover.link(message, handle as unknown as PipeHandle | undefined);
        return;
      case 'drain':
        drain.begin(message);
        return;
      case 'ticketKey':
        tickets.renew(message.key);
        return;
      case 'terminate':
        drain.end();
        return;
      case 'output':
        if (orphan === undefined) handle?.close();
        else if (handle !== undefined) orphan.output.add(handle as unknown as OutputEnd);
        return;
      case 'abandon':
      case 'attached':
        // Of a channel that was made anew, before anything else comes over it.
        return;
      case 'health':
        void askHealth(listeners.shared, message.path, message.timeoutMs).then((answer) =>
          channel?.send({ type: 'health', ...answer }),
        );
        return;
      case 'profile':
        takeProfile(message, (outcome) => channel?.send({ type: 'profiled', seq: message.seq, ...outcome }));
        return;
      case 'endProfile':
        endProfile(message.seq);
        return;
      case 'inspect':
        channel?.send({ type: 'inspected', seq: message.seq, ...openInspector() });
        return;
      case 'measure':
        if (measure === undefined && !lacksMeasure && !attempt('measurements', loadMeasure)) {
          lacksMeasure = true;
          channel?.send({ type: 'able', missing, listens });
        }
        void measure
          ?.read(message)
          .then((measured) => channel?.send({ type: 'measured', seq: message.seq, ...measured }))
          // It is the application's process: who cannot tell is silent.
          .catch(() => {});
        return;
      case 'metrics': {
        const { seq, contentType, text, reason } = message;
        application.metricsTold(seq, text === '' ? null : { contentType, text }, reason);
        return;
      }
      case 'stats':
        channel?.send({
          type: 'stats',
          seq: message.seq,
          eventLoopDelayMs: Math.max(0, Number(process.hrtime.bigint() / 1000n) / 1000 - message.sentAtMs),
          connections: listeners.countConnections(),
          accepted: connections.accepted,
          requests: figures.requests,
          ...(message.figures && { figures: figures.read() }),
        });
        return;
    }
  }
}

/** Asked only here: the module takes a moment to load, which is one of a worker's start. */
function isThread(): boolean {
  return !(require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread;
}

function identity() {
  const { HOLDFAST_NAME, HOLDFAST_SLOT, HOLDFAST_GENERATION, HOLDFAST_WORKER } = process.env;
  return {
    name: HOLDFAST_NAME ?? '',
    slot: Number(HOLDFAST_SLOT),
    generation: Number(HOLDFAST_GENERATION),
    worker: Number(HOLDFAST_WORKER),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function leaveNoTrace(): void {
  delete process.env.HOLDFAST_WORKER;
  delete process.env.HOLDFAST_PATHS;
  delete process.env.HOLDFAST_CHILDREN;
  delete process.env.HOLDFAST_ATTACH;
  delete process.env.HOLDFAST_MEASURE;
  const { execArgv } = process;
  const at = execArgv.indexOf(__filename);
  // What stands before it is holdfast's, too.
  if (at > 0) execArgv.splice(0, at + 1);
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(__dirname + path.sep)) delete require.cache[file];
  }
}
