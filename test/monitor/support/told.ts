/** What a worker tells of a registry of prom-client, and who is told. */
import type client from 'prom-client';
import { Registries } from '../../../dist/worker/registries.js';
import { ApplicationTallies } from '../../../src/monitor/application.js';

/** As it comes from a worker. */
export async function told(registry: client.Registry, version = 1) {
  const { families, values, left, failure } = await new Registries(() => [registry]).read();
  return JSON.parse(JSON.stringify({ version, schema: JSON.stringify(families), values, left, failure }));
}

export function tallies() {
  return new ApplicationTallies((name) => name.startsWith('holdfast_'));
}
