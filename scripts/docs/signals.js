// docs/reference/signals.md: from the topics that `holdfast help` shows.
import { SIGNALS } from '../../dist/cli/command-line/topics.js';
import { codes, page, table } from './markdown.js';

export function signalsPage() {
  return page('Signals', 'src/cli/command-line/topics.ts', [
    'What the supervisor does when it gets a signal. `holdfast status` shows its PID.',
    table(
      ['signal', 'effect'],
      SIGNALS.map(([names, effect]) => [codes(names.map((name) => `SIG${name}`)), effect]),
    ),
    `A worker gets SIGTERM when its connections are done, or after \`drainTimeout\`, and SIGKILL after another
\`killTimeout\`. Send signals to the supervisor, not to workers: a worker that ends by itself is a crash.`,
    'Next: [status fields](status.md)',
  ]);
}
