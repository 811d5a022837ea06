/** The supervisors that run, to choose one of them. Pure. */
import { cut, padEnd, padStart, safe } from '../../output/cells.js';
import { formatBytes, formatDuration } from '../../output/quantity.js';
import { bar, type Line, run, spread } from '../../output/runs.js';
import { pickedIndex, type State } from '../model/model.js';
import { linkText } from './link-text.js';

export function listPage(state: State, width: number, room: number): Line[] {
  const { listed } = state;
  const at = pickedIndex(state);
  const head: Line[] = [spread([run('supervisors', 'bold')], linkText(state), width), []];
  const longest = Math.min(30, Math.max(4, ...listed.map(({ name }) => name.length)));
  const cells = (values: readonly string[]) =>
    ` ${padEnd(cut(values[0] ?? '', longest), longest)} ${padEnd(values[1] ?? '', 14)}${values
      .slice(2)
      .map((text, index) => padStart(text, [5, 9, 9, 6, 8][index] ?? 8))
      .join('')}  `;
  const lines = [
    bar([run(cells(['name', 'state', 'gen', 'workers', 'uptime', 'cpu%', 'mem'])), run('rollout')], width, 'title'),
  ];
  const count = Math.max(1, room - head.length - 1);
  const first = Math.floor(at / count) * count;
  for (const [index, { name, status }] of listed.slice(first, first + count).entries()) {
    const isChosen = first + index === at;
    const ready = status?.workers.filter((worker) => worker.state === 'ready').length ?? 0;
    const cpu = status?.workers.reduce((sum, { cpuPercent }) => sum + (cpuPercent ?? 0), 0) ?? null;
    const memory = status?.workers.reduce((sum, { rssBytes }) => sum + (rssBytes ?? 0), 0) ?? null;
    const values =
      status === null
        ? [safe(name), 'not answering']
        : [
            ...[safe(name), status.state, String(status.generation), `${ready}/${status.size}`],
            ...[formatDuration(status.uptimeMs), cpu === null ? '-' : String(Math.round(cpu)), formatBytes(memory)],
          ];
    const line = [
      run(cells(values).replace(/^ /, isChosen ? '>' : ' '), status === null ? 'bad' : 'plain'),
      run(status?.rollout.state ?? '', 'dim'),
    ];
    lines.push(isChosen ? bar(line, width, 'chosen') : line);
  }
  if (listed.length === 0 && state.link.state === 'up')
    lines.push([run('  none runs any more; waiting for one', 'dim')]);
  return [...head, ...lines];
}
