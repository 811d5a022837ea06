/** The page of the admin address: puts its parts together, and gives them what comes. */
import type { PageEvents, PageMark, PageNow, PageWorker } from '../protocol/page.js';
import { Charts, nameOf } from './charts.js';
import { allowCommands, beginCommands, showCommands } from './commands.js';
import { differences, sparedSlots } from './differs.js';
import { byId, make, say } from './dom.js';
import { Glance } from './glance.js';
import { Hour } from './hour.js';
import { LogTail } from './log.js';
import { showRollout } from './rollout.js';
import { stateOf } from './states.js';
import { listen } from './stream.js';
import { Table } from './table.js';
import { beginTheme } from './theme.js';
import { bytes, count, dated, firstLine, ms, percent, time, withoutAnsi } from './words.js';

const hour = new Hour();
const log = new LogTail();
const glance = new Glance();
let unlike: ReadonlyMap<number, string> = new Map();
let charts: Charts | null = null;
/** When it has said that it stops, in seconds since 1970. */
let endedAt: number | null = null;

const workers = new Table<PageWorker>(
  'workers',
  'Workers, with what they do now',
  [
    { name: 'Slot', value: ({ slot }) => slot, text: ({ slot }) => String(slot) },
    { name: 'State', value: ({ state }) => state, text: ({ state }) => state },
    { name: 'Generation', value: ({ generation }) => generation, text: ({ generation }) => String(generation) },
    { name: 'Up', value: ({ uptimeMs }) => uptimeMs, text: ({ uptimeMs }) => time(uptimeMs) },
    { name: 'Requests/s', value: ({ requests }) => requests, text: ({ requests }) => count(requests) },
    { name: '5xx/s', value: ({ errors }) => errors, text: ({ errors }) => count(errors) },
    { name: 'p99', value: ({ p99Ms }) => p99Ms, text: ({ p99Ms }) => ms(p99Ms) },
    { name: 'Loop delay', value: ({ loopDelayMs }) => loopDelayMs, text: ({ loopDelayMs }) => ms(loopDelayMs) },
    { name: 'CPU', value: ({ cpu }) => cpu, text: ({ cpu }) => percent(cpu) },
    { name: 'Memory', value: ({ memoryBytes }) => memoryBytes, text: ({ memoryBytes }) => bytes(memoryBytes) },
    { name: 'Connections', value: ({ connections }) => connections, text: ({ connections }) => count(connections) },
    { name: 'Restarts', value: ({ restarts }) => restarts, text: ({ restarts }) => String(restarts) },
    {
      name: 'What is of note',
      value: ({ id }) => unlike.get(id) ?? '',
      text: ({ id, restartReason }) =>
        unlike.get(id) ?? (restartReason === null ? '' : withoutAnsi(`last replaced: ${firstLine(restartReason)}`)),
      wraps: true,
    },
  ],
  ({ id }) => id,
);

interface Share {
  readonly key: number;
  readonly slot: number;
  readonly address: string;
  readonly weight: number | null;
  readonly wanted: number | null;
  readonly got: number | null;
  readonly queue: number | null;
}
const shares = new Table<Share>(
  'share',
  'Sockets, with their share of new connections',
  [
    { name: 'Slot', value: ({ slot }) => slot, text: ({ slot }) => (slot < 0 ? 'all' : String(slot)) },
    { name: 'Address', value: ({ address }) => address, text: ({ address }) => address },
    { name: 'Weight', value: ({ weight }) => weight, text: ({ weight }) => count(weight) },
    { name: 'Share wanted', value: ({ wanted }) => wanted, text: ({ wanted }) => percent(wanted) },
    { name: 'Got in the last minute', value: ({ got }) => got, text: ({ got }) => percent(got) },
    { name: 'Waiting', value: ({ queue }) => queue, text: ({ queue }) => count(queue) },
  ],
  ({ key }) => key,
);

function show(now: PageNow): void {
  const { status } = now;
  hour.add(now);
  document.title = `${status.name} – holdfast`;
  say(byId('name'), status.name);
  const ready = now.workers.filter(({ state }) => state === 'ready').length;
  say(byId('state'), ...stateOf({ ...status, ready }));
  const release = status.release === null ? '' : ` · ${status.release}`;
  const made = `holdfast ${status.version}, Node ${status.nodeVersion}`;
  say(byId('facts'), `Generation ${status.generation}${release} · up ${time(status.uptimeMs)} · ${made}`);
  byId('main').hidden = false;
  charts ??= new Charts(hour);
  glance.show(hour);
  unlike = differences(now.workers, sparedSlots(status));
  const said = now.workers.flatMap(({ id, slot }) => (unlike.has(id) ? [`slot ${slot}: ${unlike.get(id)}`] : []));
  say(byId('differs'), said.length === 0 ? '' : `Not like the others: ${said.join('; ')}`);
  workers.show(now.workers, ({ id }) => unlike.has(id));
  say(byId('steering'), status.steering ? 'Connections are steered.' : `Not steered: ${status.steeringReason}`);
  shares.show(sharesOf(now));
  showRollout(now);
  showCommands(now);
  charts.draw();
}

function sharesOf({ status, workers: all }: PageNow): Share[] {
  return status.addresses.flatMap(({ host, port, sockets }, at) => {
    const sum = sockets.reduce((total, { weight }) => total + (weight ?? 0), 0);
    return sockets.map(({ slot, weight, queueLength }) => {
      const got = all.filter((worker) => worker.slot === slot).flatMap((worker) => worker.got ?? []);
      return {
        ...{ key: at * 1000 + (slot ?? 999), slot: slot ?? -1, weight, queue: queueLength },
        address: port === 0 ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`,
        wanted: weight === null || sum === 0 ? null : weight / sum,
        got: got.length === 0 ? null : got.reduce((total, one) => total + one, 0),
      };
    });
  });
}

function showMark(mark: PageMark): void {
  const at = make('time', { datetime: new Date(mark.at * 1000).toISOString() }, dated(mark.at));
  const id = `mark-${mark.id}`;
  const shown = make('li', { id }, at, withoutAnsi(`${nameOf(mark)}: ${mark.text}`));
  if (mark.details.length > 0) {
    shown.append(
      make('details', {}, make('summary', {}, 'More'), make('pre', {}, withoutAnsi(mark.details.join('\n')))),
    );
  }
  const before = document.getElementById(id);
  if (before !== null) before.replaceWith(shown);
  else byId('history').prepend(shown);
}

const HANDLERS: { readonly [K in keyof PageEvents]: (data: PageEvents[K]) => void } = {
  access: allowCommands,
  history(data) {
    endedAt = null;
    hour.begin(data);
    log.begin();
    byId('lost').hidden = true;
    byId('history').replaceChildren();
    if (data.marks.length === 0) byId('history').append(make('li', {}, 'Nothing since the supervisor started.'));
    for (const mark of data.marks) showMark(mark);
  },
  now: show,
  mark(mark) {
    if (hour.marks.length === 0) byId('history').replaceChildren();
    const old = hour.mark(mark);
    if (old !== undefined) document.getElementById(`mark-${old.id}`)?.remove();
    showMark(mark);
  },
  ended({ at }) {
    endedAt = at;
  },
  logs: ({ lines, left }) => log.add(lines, left),
};

function begin(): void {
  byId('login').hidden = true;
  void listen({
    on: (event, data) => (HANDLERS[event] as (data: unknown) => void)(data),
    lost(waitMs, told) {
      const lost = byId('lost');
      lost.hidden = false;
      const seconds = Math.max(1, Math.round(waitMs / 1000));
      const shownAt = hour.at.at(-1);
      const shown = shownAt === undefined ? '' : ` This page shows what it last told, at ${dated(shownAt)}.`;
      const again = ` It is asked again in ${seconds} s.`;
      if (told !== null) {
        say(byId('state'), 'Not connected', 'state warn');
        say(lost, `The supervisor answers: ${told}.${shown}${again}`);
      } else if (endedAt !== null) {
        say(byId('state'), 'Stopped', 'state warn');
        say(lost, `The supervisor stopped at ${dated(endedAt)}.${shown}${again}`);
      } else {
        say(byId('state'), 'Connection lost', 'state bad');
        say(lost, `The supervisor does not answer.${shown}${again}`);
      }
    },
    refused(statusCode) {
      byId('main').hidden = true;
      say(byId('state'), statusCode === 401 ? 'A token is required' : 'Not available on this address', 'state warn');
      const hint = 'Others can reach this address: set adminTokenFile and restart the supervisor.';
      if (statusCode === 403) say(byId('lost'), hint);
      byId('lost').hidden = statusCode !== 403;
      byId('login').hidden = statusCode !== 401;
      if (statusCode === 401) byId('token').focus();
    },
  });
}

/** @returns why not, for people; null where a session was opened */
async function logIn(token: string): Promise<string | null> {
  // No header could have anything else.
  if (!/^[\x21-\x7e]+$/.test(token)) return 'This is not the token.';
  try {
    const answer = await fetch('/session', { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    if (answer.ok) return null;
    if (answer.status === 401) return 'This is not the token.';
    // As where a proxy between has changed the name by which it was called.
    return `The supervisor answers: ${((await answer.json()) as { readonly error?: string }).error ?? answer.status}.`;
  } catch {
    return 'The supervisor does not answer.';
  }
}

byId('unlock').addEventListener('click', () => {
  byId('login').hidden = false;
  byId('token').focus();
});
beginCommands();

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = byId<HTMLInputElement>('token');
  void logIn(token.value).then((fault) => {
    token.value = '';
    say(byId('wrong'), fault ?? '');
    // The stream that is open was begun without it.
    if (fault === null) location.reload();
  });
});

beginTheme(() => charts?.repaint());
// What scrolls can be scrolled by the keyboard.
for (const place of document.querySelectorAll<HTMLElement>('.wide, .log, .history')) place.tabIndex = 0;
document.addEventListener('visibilitychange', () => charts?.draw());
begin();
