/**
 * Runs the live view: asks the supervisor once a second, follows its log, does what the keys ask for, and draws what has changed.
 * What is shown and what a key means is decided elsewhere.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, type Action as Request } from '../../control/client/client.js';
import { listSupervisors } from '../../control/client/find.js';
import { absence, controlSocketPath } from '../../control/socket-path.js';
import { formatField } from '../output/quantity.js';
import { describeError } from '../output/report-error.js';
import type { Context } from '../process/context.js';
import { wantsColour } from '../process/context.js';
import { begin, type Effect, isBusy, type State, type TopEvent, update } from './model/model.js';
import { Screen } from './screen.js';
import { view } from './view/view.js';

/** From one question to the next; a supervisor that takes longer is asked when it has answered. */
const ASK_MS = 1_000;
/** In the list, one that does not answer keeps none of the others waiting. */
const PATIENCE_MS = 2_000;
/** Pictures are at least so far apart. */
const DRAW_MS = 60;
const TICK_MS = 1_000;
const LOG_LINES = 200;
/** Log lines that wait for the next picture; of a flood the newest. */
const MOST_WAITING = 500;
/** They end the process, the terminal being left as it was. */
const ENDING = ['SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** What was left behind unfinished, for a word about it. */
export interface Unfinished {
  readonly name: string;
  readonly verb: 'reload' | 'scale';
}

/**
 * @param name whose workers are looked at first; null for the list of all supervisors
 * @returns what goes on when the view has been left
 */
export async function live(name: string | null, context: Context): Promise<Unfinished | null> {
  const view = new Live(name, context);
  return view.run();
}

class Live {
  readonly #context: Context;
  #state: State;
  #screen: Screen | null = null;
  readonly #over = new AbortController();
  /** Of what is looked at now. */
  #watch = new AbortController();
  #waiting: string[] = [];
  #drawTimer: NodeJS.Timeout | undefined;
  #drawnAt = 0;
  #failure: unknown = null;

  constructor(name: string | null, context: Context) {
    this.#context = context;
    this.#state = begin(name, performance.now());
  }

  async run(): Promise<Unfinished | null> {
    const { stdout, env, interrupted } = this.#context;
    const end = () => this.#over.abort();
    const kill = (signal: NodeJS.Signals) => {
      this.#screen?.close();
      for (const one of ENDING) process.off(one, kill);
      // As if nobody had listened: who started it sees what has ended it.
      process.kill(process.pid, signal);
    };
    for (const signal of ENDING) process.on(signal, kill);
    interrupted().addEventListener('abort', end, { once: true });
    const screen = await Screen.open({
      ...{ stdout, env, colour: wantsColour(stdout, env) },
      onKey: (key) => this.#happened({ type: 'key', key }),
      onStale: () => this.#draw(),
      onEnd: end,
    });
    this.#screen = screen;
    const ticks = setInterval(() => this.#happened({ type: 'tick' }), TICK_MS);
    try {
      if (interrupted().aborted) end();
      this.#look();
      this.#draw();
      if (!this.#over.signal.aborted) await aborted(this.#over.signal);
    } finally {
      clearInterval(ticks);
      clearTimeout(this.#drawTimer);
      this.#watch.abort();
      screen.close();
      for (const signal of ENDING) process.off(signal, kill);
    }
    if (this.#failure !== null) throw this.#failure;
    const { action, name } = this.#state;
    return isBusy(this.#state) && action !== null && name !== null ? { name, verb: action.verb } : null;
  }

  #happened(event: TopEvent): void {
    if (this.#over.signal.aborted) return;
    const { state, effects } = update(this.#state, event, performance.now());
    this.#state = state;
    for (const effect of effects) this.#do(effect);
    this.#drawSoon();
  }

  #do(effect: Effect): void {
    switch (effect.do) {
      case 'quit':
        this.#over.abort();
        break;
      case 'redraw':
        this.#screen?.forget();
        break;
      case 'suspend':
        this.#screen?.suspend();
        break;
      case 'watch':
      case 'list':
        this.#look();
        break;
      case 'reload':
        void this.#ask('reload');
        break;
      case 'scale':
        void this.#ask({ scale: String(effect.to) });
    }
  }

  // ---- what is asked ----------------------------------------------------------------------------------------------

  #look(): void {
    this.#watch.abort();
    this.#watch = new AbortController();
    this.#waiting = [];
    const { signal } = this.#watch;
    const { name } = this.#state;
    const fail = (error: unknown) => {
      this.#failure = error;
      this.#over.abort();
    };
    if (name === null) {
      this.#again(signal, async () => {
        const listed = await listSupervisors(this.#context.runtimeDir, PATIENCE_MS);
        return { type: 'listed', listed };
      }).catch(fail);
      return;
    }
    const connection = this.#connectionTo(name);
    this.#again(signal, () => askStatus(connection)).catch(fail);
    this.#follow(connection, signal).catch(fail);
  }

  #connectionTo(name: string): Connection {
    return new Connection(name, controlSocketPath(this.#context.runtimeDir, name));
  }

  /** One question after the other. */
  async #again(signal: AbortSignal, ask: () => Promise<TopEvent>): Promise<void> {
    while (!signal.aborted) {
      const began = performance.now();
      const event = await ask();
      if (signal.aborted) return;
      this.#happened(event);
      await rest(Math.max(0, ASK_MS - (performance.now() - began)), signal);
    }
  }

  async #follow(connection: Connection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let began = false;
      try {
        for await (const line of connection.logs(signal, { lines: LOG_LINES, follow: true })) {
          if (!began) this.#happened({ type: 'logsBegan' });
          // The first one says how many have come before.
          if (began) this.#waiting.push(line);
          began = true;
          if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(0, this.#waiting.length - MOST_WAITING);
          this.#drawSoon();
        }
      } catch (error) {
        // That it has gone is told by who asks for the status.
        const reason = error instanceof Error && this.#state.link.state === 'up' ? error.message : null;
        if (reason !== null && !signal.aborted) this.#happened({ type: 'logsFailed', reason });
      }
      await rest(ASK_MS, signal);
    }
  }

  async #ask(request: Request): Promise<void> {
    const { name } = this.#state;
    if (name === null) return;
    try {
      const result = await this.#connectionTo(name).perform(request, ({ message, fields }) => {
        const details = Object.entries(fields).map(([key, value]) => ` ${formatField(key, value)}`);
        this.#happened({ type: 'step', text: `${message}${details.join('')}` });
      });
      const why = result.reason === null ? '' : `: ${result.reason}`;
      this.#happened({ type: 'result', ok: result.ok, text: `${name}: ${result.message}${why}` });
    } catch (error) {
      const [text = ''] = describeError(error).text.split('\n');
      this.#happened({ type: 'result', ok: false, text });
    }
  }

  // ---- what is drawn ----------------------------------------------------------------------------------------------

  #drawSoon(): void {
    if (this.#over.signal.aborted) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_MS - performance.now());
    this.#drawTimer ??= setTimeout(() => this.#draw(), wait);
  }

  #draw(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = undefined;
    if (this.#screen === null || this.#over.signal.aborted) return;
    const lines = this.#waiting.splice(0);
    if (lines.length > 0) this.#state = update(this.#state, { type: 'logs', lines }, performance.now()).state;
    this.#screen.draw(view(this.#state, this.#screen.size));
    this.#drawnAt = performance.now();
  }
}

async function askStatus(connection: Connection): Promise<TopEvent> {
  try {
    return { type: 'status', status: await connection.status(undefined, true) };
  } catch (error) {
    return { type: 'silent', gone: absence((error as Error).cause ?? error) !== null };
  }
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal }).catch(() => {});
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
