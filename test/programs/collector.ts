/** Stands for the collector to which OpenTelemetry sends its spans, as JSON: https://opentelemetry.io/docs/specs/otlp/ */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Test } from 'tap';
import type { Beside } from './program.js';

interface Traces {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly { kind: number }[] }[];
  }[];
}

/** A request that a server answers, among the spans. */
const SERVER = 2;

export async function collector(t: Test): Promise<Beside> {
  let received = 0;
  const server = http.createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as Traces;
    const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
    received += spans.filter(({ kind }) => kind === SERVER).length;
    response.setHeader('content-type', 'application/json').end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
    check: (answers) =>
      void t.equal(received, answers, 'the spans of all requests have come, of workers that went as well'),
  };
}
