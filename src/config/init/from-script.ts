/** A first configuration for a script: what most need, and the rest as comments to be taken out. Pure. */
import { commentLines, type Line, yamlLines } from './yaml-file.js';

export interface Found {
  readonly name: string;
  /** As it is written into the file, relative to it. */
  readonly script: string;
  /** Where a command is to be run, if not in the file's folder. */
  readonly cwd: string | null;
}

export function fileFromScript({ name, script, cwd }: Found): string {
  const given: readonly Line[] = [
    { key: 'name', value: name, comments: ['As in holdfast reload NAME; needed only where several supervisors run.'] },
    {
      key: 'script',
      value: script,
      comments: ['The entry file, relative to this file; or a command, such as npm start.'],
    },
    ...(cwd === null ? [] : [{ key: 'cwd', value: cwd, comments: ['Where the workers run.'] }]),
    { key: 'instances', value: 2, comments: ['A number, or max: one worker for each processor.'] },
  ];
  const offered: readonly Line[] = [
    {
      key: 'ready',
      value: 'listening',
      comments: [
        "When a worker is ready: it listens; message, it called process.send('ready'); running, for a program that does not listen.",
      ],
    },
    {
      key: 'health',
      value: '/healthz',
      comments: ['A path that a new worker must answer with 200 to 399 before it takes over.'],
    },
    {
      key: 'drainTimeout',
      value: '75s',
      comments: ['At a reload or stop, open connections have this long to finish.'],
    },
    { key: 'killTimeout', value: '5s', comments: ['From SIGTERM to SIGKILL.'] },
    { key: 'maxMemory', value: '80%', comments: ['At this share of the memory a worker is replaced, as in a reload.'] },
    { key: 'admin', value: 9100, comments: ['Probes, status and metrics over HTTP.'] },
    { key: 'envFile', value: '.env', comments: ['Variables for the workers, one KEY=VALUE a line.'] },
  ];
  const lines = [
    ...commentLines(
      'A configuration of holdfast. To check it: holdfast check FILE; every option: holdfast start --help',
    ),
    ...given.flatMap((line) => ['', ...yamlLines([line])]),
    '',
    ...commentLines('More options, each with its default or an example:'),
    ...offered.flatMap(({ comments = [], ...line }) => [
      '#',
      ...comments.flatMap((comment) => commentLines(comment)),
      ...yamlLines([line]).map((text) => `# ${text}`),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}
