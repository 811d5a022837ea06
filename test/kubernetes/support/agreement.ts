/** What the manifests must agree on among themselves and with the configuration that they bring along. */
import type { Config } from '../../../src/config/config.js';
import { type Manifest, only } from './manifests.js';

/** What a supervisor itself needs, with room. */
const SUPERVISOR_BYTES = 100 * 2 ** 20;

interface Port {
  readonly name: string;
  readonly containerPort: number;
}

/** One sentence for each thing that does not fit. */
export function disagreements(manifests: readonly Manifest[], config: Config): string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, fault: string) => void (holds || faults.push(fault));
  const { spec } = only(manifests, 'Deployment');
  const pod = spec.template.spec;
  const [container] = pod.containers;
  checkTimes(pod, container, config, expect);
  checkPorts(manifests, container, config, expect);
  checkNames(manifests, expect);
  checkVolumes(manifests, pod, container, expect);
  checkResources(container, config, expect);
  return faults;
}

type Expect = (holds: boolean, fault: string) => void;
// biome-ignore lint/suspicious/noExplicitAny: parts of a manifest
type Part = any;

function checkTimes(pod: Part, container: Part, config: Config, expect: Expect): void {
  const preStopMs = container.lifecycle.preStop.sleep.seconds * 1000;
  const neededMs = preStopMs + config.drainTimeoutMs + config.killTimeoutMs;
  expect(
    pod.terminationGracePeriodSeconds * 1000 >= neededMs,
    `the grace period of ${pod.terminationGracePeriodSeconds} s is below the ${neededMs / 1000} s of preStop, drain and kill`,
  );
  expect(preStopMs >= 1_000, 'no time for the removal of the endpoint to be heard of');
  const { periodSeconds, failureThreshold } = container.startupProbe;
  expect(
    periodSeconds * failureThreshold * 1000 > config.readyTimeoutMs,
    'the startup probe gives up before readyTimeout is over',
  );
}

function checkPorts(manifests: readonly Manifest[], container: Part, config: Config, expect: Expect): void {
  const ports = new Map((container.ports as Port[]).map(({ name, containerPort }) => [name, containerPort]));
  const variables = variablesOf(container);
  expect(ports.get('http') === Number(variables.PORT), 'the application listens on another port than http');
  expect(ports.get('admin') === config.admin?.port, 'holdfast answers on another port than admin');
  expect(config.admin?.host === null, 'the admin address cannot be reached from outside the pod');
  for (const [probe, path] of [
    ['startupProbe', '/startupz'],
    ['readinessProbe', '/readyz'],
    ['livenessProbe', '/livez'],
  ] as const) {
    const { port, path: asked } = container[probe].httpGet;
    expect(port === 'admin' && asked === path, `${probe} does not ask for ${path} on the admin port`);
  }
  for (const { metadata, spec } of manifests.filter(({ kind }) => kind === 'Service')) {
    for (const { targetPort } of spec.ports) {
      expect(ports.has(targetPort), `service ${metadata.name} goes to port ${targetPort}, which no container has`);
    }
  }
  const monitored = only(manifests, 'Service', 'shop-admin').spec.ports.map(({ name }: Port) => name);
  for (const { port, path } of only(manifests, 'ServiceMonitor').spec.endpoints) {
    expect(monitored.includes(port) && path === '/metrics', `nothing is to be scraped on port ${port}${path}`);
  }
}

function checkNames(manifests: readonly Manifest[], expect: Expect): void {
  const deployment = only(manifests, 'Deployment');
  const labels = deployment.spec.template.metadata.labels;
  const selects = (selector: Readonly<Record<string, string>>, of: Readonly<Record<string, string>>) =>
    Object.keys(selector).length > 0 && Object.entries(selector).every(([key, value]) => of[key] === value);
  expect(selects(deployment.spec.selector.matchLabels, labels), 'the deployment does not select its own pods');
  for (const { topologyKey, labelSelector } of deployment.spec.template.spec.topologySpreadConstraints) {
    expect(selects(labelSelector.matchLabels, labels), `spreading over ${topologyKey} does not select the pods`);
  }
  for (const { metadata, spec } of manifests.filter(({ kind }) => kind === 'Service')) {
    expect(selects(spec.selector, labels), `service ${metadata.name} does not select the pods`);
  }
  const budget = only(manifests, 'PodDisruptionBudget');
  expect(selects(budget.spec.selector.matchLabels, labels), 'the disruption budget does not select the pods');
  const { scaleTargetRef, minReplicas } = only(manifests, 'HorizontalPodAutoscaler').spec;
  const { apiVersion, kind, metadata } = deployment;
  expect(
    scaleTargetRef.apiVersion === apiVersion && scaleTargetRef.kind === kind && scaleTargetRef.name === metadata.name,
    'the autoscaler scales something else',
  );
  expect(minReplicas > budget.spec.maxUnavailable, 'the disruption budget lets the last pod go');
  expect(!('replicas' in deployment.spec), 'the deployment overrules the autoscaler');
  const { matchLabels } = only(manifests, 'ServiceMonitor').spec.selector;
  const monitored = manifests.filter((one) => one.kind === 'Service' && selects(matchLabels, one.metadata.labels));
  expect(monitored.length === 1 && monitored[0]?.metadata.name === 'shop-admin', 'Prometheus finds another service');
}

function checkVolumes(manifests: readonly Manifest[], pod: Part, container: Part, expect: Expect): void {
  const mounts = container.volumeMounts as { name: string; mountPath: string; readOnly?: boolean }[];
  const volumeAt = (path: string) => {
    const mount = mounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    const volume = pod.volumes.find(({ name }: { name: string }) => name === mount?.name);
    return { mount, volume };
  };
  const configFile: string = container.command.at(-1);
  const { mount, volume } = volumeAt(configFile);
  const { metadata, data } = only(manifests, 'ConfigMap');
  expect(volume?.configMap?.name === metadata.name, `${configFile} does not come from the config map`);
  expect(data[configFile.slice(`${mount?.mountPath}/`.length)] !== undefined, `the config map has no ${configFile}`);
  const runtimeDir = variablesOf(container).HOLDFAST_RUNTIME_DIR ?? '';
  const runtime = volumeAt(runtimeDir);
  // Not the volume's own folder either: everybody may enter that.
  expect(
    runtime.volume?.emptyDir !== undefined && runtime.mount?.readOnly !== true,
    `the runtime folder "${runtimeDir}" is not inside a volume that can be written to`,
  );
}

function checkResources({ resources: { requests, limits } }: Part, config: Config, expect: Expect): void {
  expect(config.instances === Number(limits.cpu), 'there are not as many instances as CPUs');
  const needed = (config.instances + config.surge) * (config.maxMemoryBytes ?? Number.NaN) + SUPERVISOR_BYTES;
  expect(needed <= bytesOf(limits.memory), 'the workers may take more memory than the container');
  expect(bytesOf(requests.memory) <= bytesOf(limits.memory), 'it requests more memory than it may have');
  expect(Number(requests.cpu) <= Number(limits.cpu), 'it requests more CPU than it may have');
}

export function variablesOf(container: Part): Record<string, string> {
  return Object.fromEntries(container.env.map(({ name, value }: { name: string; value: string }) => [name, value]));
}

function bytesOf(quantity: string): number {
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? [];
  return Number(amount) * (unit === 'Gi' ? 2 ** 30 : 2 ** 20);
}
