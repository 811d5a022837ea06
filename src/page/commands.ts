/** What who has the token may do here, each after a question. */
import type { PageCommand, PageEvents, PageNow } from '../protocol/page.js';
import { byId, say } from './dom.js';

interface Command {
  readonly question: (now: PageNow) => string;
  readonly isMeant: (now: PageNow) => boolean;
}

const size = () => byId<HTMLInputElement>('size');
const COMMANDS: Readonly<Record<PageCommand, Command>> = {
  reload: {
    question: ({ status }) => `Replace all workers of ${status.name} by the release that is on disk now?`,
    isMeant: () => true,
  },
  promote: {
    question: ({ status }) => `Have generation ${status.rollout.to} take over from all others now?`,
    isMeant: ({ status }) => status.rollout.state === 'running' && status.rollout.canary !== null,
  },
  abort: {
    question: ({ status }) => `Take generation ${status.rollout.to} back?`,
    isMeant: ({ status }) => status.rollout.state === 'running',
  },
  scale: {
    question: ({ status }) => `Have ${size().value} workers in place of ${status.size}?`,
    isMeant: () => true,
  },
};

let now: PageNow | null = null;

export function showCommands(latest: PageNow): void {
  if (now === null) size().value = String(latest.status.size);
  now = latest;
  for (const [name, { isMeant }] of Object.entries(COMMANDS)) byId(name).hidden = !isMeant(latest);
}

export function allowCommands({ commands }: PageEvents['access']): void {
  byId('commands').hidden = commands !== 'yes';
  byId('unlock').hidden = commands !== 'token';
}

export function beginCommands(): void {
  for (const name of Object.keys(COMMANDS) as PageCommand[]) byId(name).addEventListener('click', () => void run(name));
}

async function run(name: PageCommand): Promise<void> {
  if (now === null || !size().reportValidity() || !(await isConfirmed(COMMANDS[name].question(now)))) return;
  say(byId('outcome'), `${name}: asked for`);
  const query = name === 'scale' ? `?size=${encodeURIComponent(size().value)}` : '';
  try {
    const answer = await fetch(`/${name}${query}`, { method: 'POST' });
    const { message, reason, error } = (await answer.json()) as Record<string, string | null | undefined>;
    say(byId('outcome'), `${name}: ${error ?? message}${reason ? `: ${reason}` : ''}`);
  } catch {
    say(byId('outcome'), `${name}: the supervisor does not answer`);
  }
}

/** Escape is a no. */
function isConfirmed(question: string): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>('question');
  say(byId('question-text'), question);
  return new Promise((resolve) => {
    dialog.returnValue = '';
    byId('yes').onclick = () => dialog.close('yes');
    byId('no').onclick = () => dialog.close();
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
    dialog.showModal();
  });
}
