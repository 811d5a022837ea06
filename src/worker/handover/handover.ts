/**
 * The hand-over of open connections, as the rest of the worker sees it: links to other workers that the supervisor makes, and
 * on them the sender of a drain or the receiver of somebody else's.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { SupervisorMessage } from '../../protocol/worker.js';
import type { Application } from '../application/api.js';
import type { Channel } from '../channel/channel.js';
import { type Connection, type Connections, kindOf } from '../connections/connections.js';
import type { Listeners } from '../listen/listen.js';
import { tryOut } from '../node/http.js';
import type { PipeHandle } from '../node/pipe.js';
import type { ServerSocket } from '../node/socket.js';
import { Receiver } from './receiver.js';
import { Sender } from './sender.js';

type LinkOrder = Extract<SupervisorMessage, { type: 'link' }>;

export interface HandoverOptions {
  readonly channel: Channel;
  readonly listeners: Listeners;
  readonly connections: Connections;
  readonly application: Application;
  readonly isDraining: () => boolean;
  /** Told once of what this Node does not have. */
  readonly onMissing: (what: string) => void;
}

export class Handover {
  readonly #options: HandoverOptions;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  /** What this Node lacks; undefined before it has been tried, null where it lacks nothing. */
  #lack: string | null | undefined;
  #begun = false;
  #reported = false;
  #told = false;

  constructor(options: HandoverOptions) {
    const { channel, listeners, connections, application, isDraining } = options;
    this.#options = options;
    this.#sender = new Sender({
      addressOf: (server) => listeners.addressOf(server),
      usual: (server) => connections.usual.of(server),
      stateOf: (socket) => application.stateOf(socket),
      onRecipientLost: () => channel.send({ type: 'unlinked' }),
      speak: (link) => channel.send({ type: 'linked', link }),
    });
    this.#receiver = new Receiver({
      serverAt: (address) => listeners.serverAt(address),
      isLeaving: isDraining,
      onTaken: () => {
        // Accepted by another worker, and counted there.
        connections.accepted -= 1;
      },
      onState: (taken, state) => application.keepState(taken, state),
      speak: (link) => channel.send({ type: 'linked', link }),
    });
  }

  /** What an HTTP server of this Node lacks for it, tried once; null where nothing. */
  get lack(): string | null {
    if (this.#lack === undefined) this.#lack = tryOut();
    return this.#lack;
  }

  /** The supervisor has made a channel to another worker, or one has ended. Never throws. */
  link({ role, link, addresses }: LinkOrder, handle: PipeHandle | undefined): void {
    try {
      if (role !== 'cut' && this.lack !== null) this.#tell(this.lack);
      if (role === 'cut') this.#sender.recipients.unlink(link);
      else if (handle === undefined) return;
      else if (role === 'take') this.#opened(this.#receiver.open(link, handle, addresses, this.lack === null));
      else if (this.lack !== null) handle.close();
      else if (role === 'give') this.#opened(this.#sender.recipients.open(link, handle, addresses));
      else this.#sender.recipients.keepBack(link, handle);
    } catch (error) {
      handle?.close();
      this.#lack = error instanceof Error ? error.message : String(error);
      this.#tell(this.#lack);
    }
  }

  #opened(isOpen: boolean): void {
    if (isOpen) return;
    this.#lack = "the class of Node's write requests";
    this.#tell(this.#lack);
  }

  #tell(lack: string): void {
    if (this.#told) return;
    this.#told = true;
    this.#options.onMissing(`hand-over of connections: ${lack}`);
  }

  /** The drain begins. With what is open now; each is asked again after its answer. */
  begin(open: readonly Connection[]): void {
    if (this.#begun || this.lack !== null) return;
    this.#begun = true;
    diagnosticsChannel.subscribe('http.server.response.finish', (message) => {
      const { socket } = (message as { response: ServerResponse }).response.req;
      // Node itself does something with the connection in this turn, before anything else is read from it.
      process.nextTick(() => this.#sender.again(socket));
    });
    const { passesStates } = this.#options.application;
    const movable = open.filter((connection) => {
      const kind = kindOf(connection);
      return kind === 'http1' || (kind === 'other' && passesStates);
    });
    this.#sender.begin(movable.map(({ socket }) => socket));
  }

  /** It may have become free without anybody's word. */
  offerAgain(socket: ServerSocket): void {
    if (this.#begun) this.#sender.again(socket);
  }

  isUnderWay(socket: ServerSocket): boolean {
    return this.#sender.isUnderWay(socket);
  }

  /** Whether the connection is on its way to another worker, or goes there after its answer, as far as can be told. */
  mayGive(socket: ServerSocket): boolean {
    return this.#begun && (this.#sender.mayGive(socket) || this.isUnderWay(socket));
  }

  /** Tells the supervisor what has become of the connections of this drain. */
  report(): void {
    if (!this.#begun || this.#reported) return;
    this.#reported = true;
    const { handed, refused, takenBack, stayed } = this.#sender.counts;
    this.#options.channel.send({ type: 'handedOver', handed, refused, takenBack, stayed });
  }
}
