/**
 * What a worker has been told, and may therefore speak of: a forged message names an address, a socket or a question that it
 * never had. Pure; kept by the worker's channel.
 */
import type { AddressKey, WorkerMessage } from '../../../protocol/worker.js';
import { Mismatch } from './message-shape.js';
import type { ClusterMessage } from './node-messages.js';

/** Of one worker at a time; node:cluster's are counted by themselves. */
const MOST_ADDRESSES = 1_024;

export class Told {
  /** Addresses whose socket it was given, and how often it has not closed them yet. */
  readonly #addresses = new Map<AddressKey, number>();
  /** Sockets of other slots that it was given, or asked to leave. */
  readonly #lent = new Set<string>();
  /** What it has still to answer of those that it was given; `wider`: the address, where it has it by a server on another one. */
  readonly #adopting = new Map<string, { readonly wider: AddressKey | null }[]>();
  readonly #clusterKeys = new Set<unknown>();
  /** Those that it has asked for, or has: Node makes a second one of the same, and forgets the first. */
  readonly #queried = new Set<unknown>();
  /** What it is to acknowledge to node:cluster. */
  readonly #handedOver = new Set<unknown>();
  /** Profiles and inspectors that it was asked for. */
  readonly #examined = new Set<unknown>();
  #lastQuestion = 0;
  #asked = 0;
  #leftover = false;

  /** A message to the worker. */
  note({ cmd, type, key, slot, under, seq, errno, act, ack }: Readonly<Record<string, unknown>>): void {
    if (cmd === 'NODE_HOLDFAST') {
      if (type === 'socket') this.#asked -= 1;
      if (type === 'socket' && errno === 0) this.#addresses.set(String(key), this.#open(String(key)) + 1);
      else if (type === 'adopt') this.#lend(`${slot} ${key}`, under === undefined ? null : String(key));
      else if (type === 'release') this.#lent.add(`${slot} ${key}`);
      else if (type === 'profile' || type === 'inspect') this.#examined.add(seq);
      else if (type === 'stats') this.#lastQuestion = Number(seq);
    } else if (cmd === 'NODE_CLUSTER') {
      if (act === 'newconn') this.#handedOver.add(seq);
      else if (ack !== undefined && key !== undefined && !errno) this.#clusterKeys.add(key);
      else if (ack !== undefined && errno) this.#queried.delete(key);
    }
  }

  /** It was given that before, by another supervisor. */
  has(key: AddressKey): void {
    this.#addresses.set(key, this.#open(key) + 1);
  }

  /** @throws Mismatch where a message speaks of what the worker has never been told */
  expect(message: WorkerMessage): void {
    switch (message.type) {
      case 'listen':
      case 'share':
        this.#asked += 1;
        if (this.#asked + this.#addresses.size > MOST_ADDRESSES) {
          throw new Mismatch(`it listens on more than ${MOST_ADDRESSES} addresses`);
        }
        return;
      case 'opened': {
        // In place of one for datagrams that it was given: so there are no more of them than of those.
        const given = /^(udp:[^/]*)\/own$/.exec(message.key)?.[1];
        if (given === undefined || this.#open(given) === 0) {
          throw new Mismatch(`opened: it was not given what ${JSON.stringify(message.key)} stands for`);
        }
        this.#addresses.set(message.key, this.#open(message.key) + 1);
        return;
      }
      case 'bound':
      case 'stayed':
        if (this.#open(message.key) === 0)
          throw new Mismatch(`${message.type}: it was not given ${JSON.stringify(message.key)}`);
        return;
      case 'closed': {
        const open = this.#open(message.key);
        if (open === 0) throw new Mismatch(`closed: it does not have ${JSON.stringify(message.key)}`);
        if (open === 1) this.#addresses.delete(message.key);
        else this.#addresses.set(message.key, open - 1);
        return;
      }
      case 'adopted': {
        const name = `${message.slot} ${message.key}`;
        const asked = this.#adopting.get(name)?.shift();
        if (asked === undefined) {
          throw new Mismatch(`adopted: it was not lent ${JSON.stringify(message.key)} of slot ${message.slot}`);
        }
        if (asked.wider !== null && message.ok) this.#addresses.set(asked.wider, this.#open(asked.wider) + 1);
        return;
      }
      case 'released':
        if (this.#lent.has(`${message.slot} ${message.key}`)) return;
        throw new Mismatch(`released: it was not lent ${JSON.stringify(message.key)} of slot ${message.slot}`);
      case 'profiled':
      case 'inspected':
        if (this.#examined.delete(message.seq)) return;
        throw new Mismatch(`${message.type}: nobody asked for it`);
      case 'stats':
        if (message.seq < 1 || message.seq > this.#lastQuestion) throw new Mismatch('stats: nobody asked for them');
        return;
      case 'attach':
      case 'output':
      case 'mine':
        throw new Mismatch(`${message.type}: it is attached already`);
      case 'leftover':
        if (this.#leftover) throw new Mismatch('leftover: it has been told already');
        this.#leftover = true;
        return;
    }
  }

  /** @throws Mismatch likewise */
  expectOfCluster(message: ClusterMessage): void {
    if ('ack' in message) {
      if (!this.#handedOver.delete(message.ack)) throw new Mismatch(`ack: it was not sent ${message.ack}`);
    } else if (message.act === 'close') {
      if (!this.#clusterKeys.delete(message.key)) throw new Mismatch('close: it does not have that handle');
      this.#queried.delete(message.key);
    } else if (message.act === 'queryServer' && message.fd === null) {
      if (this.#queried.has(message.key)) throw new Mismatch('queryServer: it has asked for that already');
      if (this.#queried.size >= MOST_ADDRESSES) {
        throw new Mismatch(`it listens on more than ${MOST_ADDRESSES} addresses`);
      }
      this.#queried.add(message.key);
    }
  }

  #lend(name: string, wider: AddressKey | null): void {
    this.#lent.add(name);
    const asked = this.#adopting.get(name) ?? [];
    this.#adopting.set(name, [...asked, { wider }]);
  }

  #open(key: AddressKey): number {
    return this.#addresses.get(key) ?? 0;
  }
}
