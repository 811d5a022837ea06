/** Clients that ask a program over and over, and know what it answers under plain Node. Nothing is retried. */
import http from 'node:http';
import { KeptAgent } from '../support/kept-agent.js';
import type { Question } from './program.js';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const TIMEOUT_MS = 20_000;
/** Between two questions of a client: what is asked here is what a program is, and not how fast it is. */
const PAUSE_MS = 20;
/** Of each kind. */
const CLIENTS = 2;
const MOST_FAULTS = 5;

/** One question, over a connection of its own or that of the agent. */
export function ask(port: number, { path, body }: Question, agent?: http.Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      path,
      agent: agent ?? false,
      method: body === undefined ? 'GET' : 'POST',
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      }),
    });
    const timer = setTimeout(() => request.destroy(new Error('timeout')), TIMEOUT_MS);
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    request.on('error', fail);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body: text });
      });
    });
    request.end(body);
  });
}

export class Visitors {
  readonly errors: Record<string, number> = {};
  readonly #begunAt = performance.now();
  /** The first ones at full length. */
  readonly #faults: string[] = [];
  #slowestMs = 0;
  readonly #counts = new Map<Question, number>();
  readonly #watchers = new Set<() => void>();
  readonly #clients: Promise<void>[] = [];
  #running = true;

  /** @param questions with what plain Node answers; those with a body keep their connection */
  constructor(port: number, questions: ReadonlyMap<Question, Answer>) {
    for (const [question, expected] of questions) {
      this.#counts.set(question, 0);
      for (let i = 0; i < CLIENTS; i++) this.#clients.push(this.#client(port, question, expected));
    }
  }

  /** Resolves when each question has been asked so many times more. */
  more(count: number): Promise<void> {
    const goals = new Map([...this.#counts].map(([question, asked]) => [question, asked + count]));
    return new Promise((resolve) => {
      const look = () => {
        for (const [question, goal] of goals) if ((this.#counts.get(question) ?? 0) < goal) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  /** For the name of an assertion, which is all that some reports keep of it. */
  summary(): string {
    const took = Math.round(performance.now() - this.#begunAt);
    const faults = this.#faults.map((fault) => `; ${fault}`).join('');
    return `${this.asked} requests in ${took} ms, the slowest took ${this.#slowestMs} ms${faults}`;
  }

  get asked(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async #client(port: number, question: Question, expected: Answer): Promise<void> {
    const keeps = question.body !== undefined;
    const agent = keeps ? new KeptAgent() : undefined;
    while (this.#running) {
      agent?.giveUpLate();
      const sentAt = performance.now();
      const fault = await ask(port, question, agent).then(
        (answer) => difference(answer, expected),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      const tookMs = Math.round(performance.now() - sentAt);
      this.#slowestMs = Math.max(this.#slowestMs, tookMs);
      if (fault !== null) this.#note(`${keeps ? 'POST' : 'GET'} ${fault}`, tookMs);
      this.#counts.set(question, (this.#counts.get(question) ?? 0) + 1);
      for (const look of this.#watchers) look();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    agent?.destroy();
  }

  #note(kind: string, tookMs: number): void {
    this.errors[kind] = (this.errors[kind] ?? 0) + 1;
    const endedAt = Math.round(performance.now() - this.#begunAt);
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(`${kind} after ${tookMs} ms at ${endedAt} ms`);
  }
}

function difference(answer: Answer, expected: Answer): string | null {
  if (answer.status !== expected.status) return `status ${answer.status}`;
  if (answer.type !== expected.type) return `type ${answer.type}`;
  return answer.body === expected.body ? null : `another answer: ${answer.body.slice(0, 100)}`;
}
