/** Everything of an application or one of its workers, and why it is so. */
import { seats } from '../../core/state/standing.js';
import type { State, Worker } from '../../core/state/types.js';
import { HoldfastError } from '../../errors.js';
import type { Description, RestartRecord, SettingDescription, VariableDescription } from '../../protocol/control.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import type { Release } from '../deployments/release.js';
import { workerVariables } from '../workers/process/variables.js';
import { MASK, masked, maskedUrls } from './secrets.js';

export interface DescribeSource {
  readonly status: SupervisorStatus;
  /** null: of the application. */
  readonly worker: Worker | null;
  readonly release: Release;
  readonly restarts: readonly RestartRecord[];
  /** Of the supervisor itself: what the workers inherit. */
  readonly inherited: NodeJS.ProcessEnv;
  readonly secrets: boolean;
}

const WAIT = 'wait until one has started, or see why none does: holdfast logs';

/**
 * The worker that is meant by a number: one with this id, or else the one that is in this slot; of several there the one
 * that does not leave.
 *
 * @param of null for the first that there is
 * @throws HoldfastError NO_WORKER
 */
export function chooseWorker({ workers }: Pick<State, 'workers'>, of: number | null): Worker {
  const live = workers.filter(({ ended }) => !ended);
  const inSlot = live.filter(({ slot }) => slot === of);
  const first = [...live].sort((a, b) => a.slot - b.slot || b.id - a.id);
  const found =
    of === null
      ? (first.find(seats) ?? first[0])
      : (live.find(({ id }) => id === of) ?? inSlot.findLast(seats) ?? inSlot.at(-1));
  if (found !== undefined) return found;
  if (of === null) throw new HoldfastError('NO_WORKER', 'there is no worker', { hint: WAIT });
  const known = live.map(({ id, slot }) => `${id} in slot ${slot}`).join(', ') || 'none';
  throw new HoldfastError('NO_WORKER', `there is no worker ${of}, and none in slot ${of}; workers: ${known}`, {
    hint: 'give the number of a worker, or of a slot',
  });
}

export function describe({ status, worker, release, restarts, inherited, secrets }: DescribeSource): Description {
  const { source } = release;
  return {
    status,
    worker: worker?.id ?? null,
    atMs: Date.now(),
    release: {
      generation: worker?.generation ?? status.generation,
      folder: release.cwd,
      script: release.script,
      loadedAtMs: release.loadedAtMs,
      scriptChangedAtMs: release.scriptChangedAtMs,
      file: source?.file ?? null,
      resolved: source?.resolved ?? null,
    },
    settings: (source?.origins.settings ?? []).map((setting) => settingOf(setting, secrets)),
    environment: environmentOf(worker, release, { inherited, secrets }),
    restarts: worker === null ? restarts : restarts.filter(({ slot }) => slot === null || slot === worker.slot),
  };
}

function settingOf(
  { name, value, source, path, isSecret }: SettingDescription & { readonly isSecret: boolean },
  secrets: boolean,
): SettingDescription {
  const shown = value === null || secrets ? value : isSecret ? MASK : maskedUrls(value);
  return { name, value: shown, source, path };
}

/** Of the application: what it is given beside what it inherits. Of a worker: all that it was started with. */
function environmentOf(
  worker: Worker | null,
  release: Release,
  { inherited, secrets }: Pick<DescribeSource, 'inherited' | 'secrets'>,
): VariableDescription[] {
  const { config, source } = release;
  const origins = source?.origins.variables ?? {};
  const shown = (name: string, value: string, origin: string): VariableDescription => ({
    name,
    value: secrets ? value : masked(name, value),
    source: origin,
  });
  const variables = new Map<string, VariableDescription>();
  const note = (names: Readonly<Record<string, string | undefined>>, origin: (name: string) => string) => {
    for (const [name, value] of Object.entries(names)) {
      if (value !== undefined) variables.set(name, shown(name, value, origin(name)));
    }
  };
  if (worker !== null) {
    note(inherited, () => 'inherited');
    note(workerVariables(identityOf(worker, config.name), config), () => 'holdfast');
  }
  // As it is put together for a worker: the owner's own win over all but holdfast's.
  for (const [name, value] of Object.entries(config.env)) {
    if (variables.get(name)?.source === 'holdfast' && name !== config.instanceVar) continue;
    variables.set(name, shown(name, value, origins[name] ?? 'env'));
  }
  return [...variables.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function identityOf({ id, slot, generation }: Worker, name: string) {
  return { worker: id, slot, generation, name };
}
