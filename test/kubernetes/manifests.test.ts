import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { sourceIn } from '../config/support.js';
import { disagreements, variablesOf } from './support/agreement.js';
import { type Manifest, manifestTexts, only, parseManifests, spoiled } from './support/manifests.js';
import { schemaFaults, unknownKeys } from './support/schema-faults.js';

/** Holds the manifests against the configuration that is in them, read as holdfast reads it in the pod. */
async function agreement(t: Test, texts: ReadonlyMap<string, string>): Promise<string[]> {
  const manifests = parseManifests(texts);
  const dir = t.testdir({ 'server.js': '' });
  const file = path.join(dir, 'holdfast.yaml');
  writeFileSync(file, only(manifests, 'ConfigMap').data['holdfast.yaml'] ?? '');
  const [container] = only(manifests, 'Deployment').spec.template.spec.containers;
  // The folder of the image is not here.
  const flags = { cwd: dir };
  const { config, warnings } = await loadConfig(sourceIn(dir, { target: file, flags, env: variablesOf(container) }));
  t.strictSame(warnings, []);
  return disagreements(manifests, config);
}

t.test('every manifest keeps to the published schemas', async (t) => {
  const manifests = parseManifests(manifestTexts());
  t.same(manifests.map(({ kind }) => kind).sort(), [
    'ConfigMap',
    'Deployment',
    'HorizontalPodAutoscaler',
    'PodDisruptionBudget',
    'Service',
    'Service',
    'ServiceMonitor',
  ]);
  t.same(await schemaFaults(manifests), []);
  t.same(unknownKeys(manifests, t.testdir()), []);
});

t.test('the manifests agree with each other and with the configuration', async (t) => {
  t.same(await agreement(t, manifestTexts()), []);
});

t.test('the container is confined', async (t) => {
  const pod = only(parseManifests(manifestTexts()), 'Deployment').spec.template.spec;
  t.match(pod.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  t.ok(pod.securityContext.runAsUser > 0);
  t.same(pod.containers[0].securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
});

for (const [file, from, to, fault] of [
  ['deployment.yaml', 'containerPort: 9100', 'containerPort: admin', /containerPort must be integer/],
  ['deployment.yaml', 'seconds: 10', 'seconds: 10s', /sleep\/seconds must be integer/],
  ['deployment.yaml', 'apiVersion: apps/v1', 'apiVersion: apps/v1beta9', /no schema for apps\/v1beta9 Deployment/],
  ['horizontalpodautoscaler.yaml', 'maxReplicas: 10', '', /required property maxReplicas/],
  ['servicemonitor.yaml', 'interval: 30s', 'interval: soon', /interval/],
] as const) {
  t.test(`the schemas refuse ${to || 'a manifest without'} ${to ? 'instead of ' : ''}${from}`, async (t) => {
    const faults = await schemaFaults(parseManifests(spoiled(file, from, to)));
    t.match(faults, [new RegExp(`^${file}: .*${fault.source}`)]);
  });
}

t.test('the schemas refuse keys that they do not have', async (t) => {
  const texts = spoiled('deployment.yaml', 'readinessProbe:', 'readynessProbe:');
  texts.set('servicemonitor.yaml', (texts.get('servicemonitor.yaml') ?? '').replace('interval:', 'every:'));
  const manifests: Manifest[] = parseManifests(texts);
  const faults = unknownKeys(manifests, t.testdir()).sort();
  t.match(faults, [/^deployment\.yaml: .*readynessProbe/, /^servicemonitor\.yaml: .*every/]);
});

for (const [file, from, to, fault] of [
  [
    'deployment.yaml',
    'terminationGracePeriodSeconds: 50',
    'terminationGracePeriodSeconds: 30',
    /30 s is below the 45 s/,
  ],
  ['configmap.yaml', 'drainTimeout: 30s', 'drainTimeout: 1m', /50 s is below the 75 s/],
  ['configmap.yaml', 'killTimeout: 5s', 'killTimeout: 20s', /50 s is below the 60 s/],
  ['configmap.yaml', 'readyTimeout: 30s', 'readyTimeout: 2m', /startup probe gives up/],
  ['configmap.yaml', 'admin: :9100', 'admin: :9101', /another port than admin/],
  ['configmap.yaml', 'admin: :9100', 'admin: 9100', /cannot be reached/],
  ['configmap.yaml', 'instances: 2', 'instances: 4', /not as many instances/],
  ['configmap.yaml', 'maxMemory: 256M', 'maxMemory: 512M', /more memory than the container/],
  ['deployment.yaml', 'path: /readyz', 'path: /livez', /readinessProbe does not ask/],
  ['deployment.yaml', 'value: "3000"', 'value: "3001"', /another port than http/],
  ['deployment.yaml', 'value: /tmp/holdfast', 'value: /tmp', /runtime folder/],
  ['deployment.yaml', 'value: /tmp/holdfast', 'value: /run/holdfast', /runtime folder/],
  ['deployment.yaml', '  strategy:', '  replicas: 3\n  strategy:', /overrules the autoscaler/],
  ['service.yaml', 'targetPort: admin', 'targetPort: metrics', /port metrics, which no container has/],
  ['poddisruptionbudget.yaml', 'maxUnavailable: 1', 'maxUnavailable: 2', /last pod/],
  [
    'horizontalpodautoscaler.yaml',
    '    kind: Deployment\n    name: shop',
    '    kind: Deployment\n    name: store',
    /scales something else/,
  ],
  ['servicemonitor.yaml', 'component: admin', 'component: other', /finds another service/],
  ['servicemonitor.yaml', 'port: admin', 'port: http', /nothing is to be scraped/],
] as const) {
  t.test(`the agreement does not hold with ${to.replaceAll(/\s+/g, ' ').trim()}`, async (t) => {
    t.match(await agreement(t, spoiled(file, from, to)), [fault]);
  });
}
