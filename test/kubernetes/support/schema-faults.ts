/**
 * Holds manifests against the published schemas of Kubernetes and of the Prometheus Operator, as `kubernetes-models`
 * brings them along: values by its validators, and keys that no schema has by its types, since the validators let those
 * pass.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import type { Manifest } from './manifests.js';

/** Where a kind's model is; a manifest of another API version has none. */
const MODELS: Readonly<Record<string, string>> = {
  'v1 ConfigMap': 'kubernetes-models/v1',
  'v1 Service': 'kubernetes-models/v1',
  'apps/v1 Deployment': 'kubernetes-models/apps/v1',
  'policy/v1 PodDisruptionBudget': 'kubernetes-models/policy/v1',
  'autoscaling/v2 HorizontalPodAutoscaler': 'kubernetes-models/autoscaling/v2',
  'monitoring.coreos.com/v1 ServiceMonitor': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
};

type Model = new (data: object) => { validate(): void };

const moduleOf = ({ apiVersion, kind }: Manifest) => MODELS[`${apiVersion} ${kind}`];

/** One line for each manifest that is wrong, with its file. */
export async function schemaFaults(manifests: readonly Manifest[]): Promise<string[]> {
  const faults: string[] = [];
  for (const manifest of manifests) {
    const { file, ...data } = manifest;
    const module = moduleOf(manifest);
    if (module === undefined) {
      faults.push(`${file}: no schema for ${manifest.apiVersion} ${manifest.kind}`);
      continue;
    }
    const Model = ((await import(module)) as Record<string, Model>)[manifest.kind];
    try {
      if (Model === undefined) throw new Error(`${module} has no ${manifest.kind}`);
      new Model(data).validate();
    } catch (error) {
      faults.push(`${file}: ${(error as Error).message}`);
    }
  }
  return faults;
}

/** @param dir inside the project, so that its packages are found; gets a file */
export function unknownKeys(manifests: readonly Manifest[], dir: string): string[] {
  const lines = manifests.map((manifest, index) => {
    const { file, ...data } = manifest;
    const type = `import('${moduleOf(manifest)}', { with: { 'resolution-mode': 'import' } }).I${manifest.kind}`;
    return `export const m${index}: ${type} = ${JSON.stringify(data)};`;
  });
  const source = path.join(dir, 'manifests.ts');
  writeFileSync(source, lines.join('\n'));
  const program = ts.createProgram([source], {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    types: [],
  });
  return ts.getPreEmitDiagnostics(program).map(({ start = 0, file, messageText }) => {
    const line = file?.getLineAndCharacterOfPosition(start).line ?? 0;
    return `${manifests[line]?.file}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
