/** Clients that ask a program over and over, and know what it answers under plain Node. Nothing is retried. */
import http from 'node:http';
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

/** One question, over a connection of its own or that of the agent. */
export function ask(port: number, { path, body }: Question, agent: http.Agent | false = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      path,
      agent,
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

  get asked(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async #client(port: number, question: Question, expected: Answer): Promise<void> {
    const keeps = question.body !== undefined;
    const agent = new http.Agent({ keepAlive: keeps, maxSockets: 1 });
    while (this.#running) {
      const fault = await ask(port, question, agent).then(
        (answer) => difference(answer, expected),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      if (fault !== null) {
        const kind = `${keeps ? 'POST' : 'GET'} ${fault}`;
        this.errors[kind] = (this.errors[kind] ?? 0) + 1;
      }
      this.#counts.set(question, (this.#counts.get(question) ?? 0) + 1);
      for (const look of this.#watchers) look();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    agent.destroy();
  }
}

function difference(answer: Answer, expected: Answer): string | null {
  if (answer.status !== expected.status) return `status ${answer.status}`;
  if (answer.type !== expected.type) return `type ${answer.type}`;
  return answer.body === expected.body ? null : `another answer: ${answer.body.slice(0, 100)}`;
}
