/** The control socket as a chaos run uses it: counts how requests end, and whether they do. */
import http from 'node:http';

/** What any request may take: a reload waits for drains, hangs and ten tries at least. */
const ANSWER_MS = 150_000;

export class Control {
  /** How those for a change have ended, and which requests of all have not been answered. */
  answers = { ok: 0, failed: 0, unreachable: 0, unanswered: 0 };
  #socketPath;
  #open = new Set();

  constructor(socketPath) {
    this.#socketPath = socketPath;
  }

  /** @returns what it said, or null where it could not be reached; never rejects */
  send(method, url, body) {
    const asked = this.#ask(method, url, body).then((text) => {
      if (method === 'GET') return text;
      if (text === null) this.answers.unreachable += 1;
      else this.answers[/"ok":true/.test(text) ? 'ok' : 'failed'] += 1;
      return text;
    });
    this.#open.add(asked);
    void asked.finally(() => this.#open.delete(asked));
    return asked;
  }

  /** Until all that was asked has been answered. */
  async answered() {
    await Promise.all(this.#open);
  }

  #ask(method, path, body) {
    return new Promise((resolve) => {
      const request = http.request({ socketPath: this.#socketPath, method, path, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', () => {});
        response.on('close', () => {
          clearTimeout(timer);
          // Cut off: the supervisor did not say how it went.
          if (!response.complete) this.answers.unanswered += 1;
          resolve(text);
        });
      });
      const timer = setTimeout(() => {
        this.answers.unanswered += 1;
        request.destroy();
        resolve(null);
      }, ANSWER_MS);
      request.on('error', () => {
        clearTimeout(timer);
        resolve(null);
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
