/**
 * Every metric that there is, by its name: kind, meaning, labels. Made, documented, drawn and tested from here alone. Labels are
 * of fixed sets, or of the slots and addresses that there are: never of what has come and gone. Their values come from
 * metrics.ts, slots.ts and sockets.ts, and what workers count for them from src/worker/measure.ts.
 */

export interface Entry {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Its name by OpenTelemetry's semantic conventions, as Prometheus writes it. */
  readonly otel?: string;
  /** Labels that are called otherwise there. */
  readonly otelLabels?: Readonly<Record<string, string>>;
}

const SLOT = ['slot'] as const;

export const CATALOG = {
  holdfast_info: gauge('Always 1; what runs is in the labels', ['name', 'version', 'node_version', 'listen_mode']),
  holdfast_generation: gauge('Newest generation that is wanted in every slot'),
  holdfast_generation_info: gauge('Always 1; one series for each generation that has workers', ['generation']),
  holdfast_size: gauge('Number of slots'),
  holdfast_workers: gauge('Workers by state', ['state']),
  holdfast_crash_loop: gauge('1 while a slot is in a crash loop'),
  holdfast_restarts_total: counter('Workers that were replaced before their time, by reason', ['reason']),
  holdfast_steering: gauge('1 while new connections are steered'),
  holdfast_rollout_running: gauge('1 while a rollout is under way'),
  holdfast_rollouts_total: counter('Rollouts that have ended, by outcome', ['outcome']),
  holdfast_rollout_seconds: histogram('How long rollouts took, by outcome', ['outcome']),
  holdfast_canary_share: gauge('Share of new connections that the canary is to have, 0 to 1'),
  holdfast_canary_answers: gauge('Answers since the canary is ready, of the canary and of the others', ['group']),
  holdfast_canary_server_errors: gauge('Answers with a status of 500 and above, of the canary and of the others', [
    'group',
  ]),
  holdfast_canary_p99_seconds: gauge('99th percentile of the time of an answer, of the canary and of the others', [
    'group',
  ]),
  holdfast_canary_loop_delay_seconds: gauge('Median delay of the event loop, of the canary and of the others', [
    'group',
  ]),
  holdfast_connections_cut_off_total: counter(
    'Connections that were still open when the drain of their worker ended, by kind',
    ['kind'],
  ),
  holdfast_connections_handed_over_total: counter(
    'Open connections that a draining worker gave to another one, by outcome',
    ['outcome'],
  ),
  holdfast_http_request_duration_seconds: {
    ...histogram('From the head of a request to the end of its answer, of all workers', []),
    otel: 'http_server_request_duration_seconds',
  },
  holdfast_worker_requests_total: counter('Requests that have begun', SLOT),
  holdfast_worker_responses_total: counter('Answers, by the class of their status', ['slot', 'class']),
  holdfast_worker_received_bytes_total: counter(
    'Bytes received on HTTP connections, up to the last answer of each',
    SLOT,
  ),
  holdfast_worker_sent_bytes_total: counter('Bytes sent on HTTP connections, up to the last answer of each', SLOT),
  holdfast_worker_connections: gauge('Open connections', SLOT),
  holdfast_worker_open_connections: gauge('Open connections, by protocol', ['slot', 'kind']),
  holdfast_worker_accepted_connections_total: counter('Accepted connections, by kind of server', ['slot', 'kind']),
  holdfast_worker_generation: gauge('Newest generation that runs in the slot', SLOT),
  holdfast_worker_cpu_seconds_total: {
    ...counter('CPU time of the worker, by mode', ['slot', 'mode']),
    ...{ otel: 'process_cpu_time_seconds_total', otelLabels: { mode: 'cpu_mode' } },
  },
  holdfast_worker_resident_memory_bytes: {
    ...gauge('Resident memory, shared pages included', SLOT),
    otel: 'process_memory_usage_bytes',
  },
  holdfast_worker_heap_used_bytes: { ...gauge('JavaScript heap in use', SLOT), otel: 'v8js_memory_heap_used_bytes' },
  holdfast_worker_heap_limit_bytes: {
    ...gauge('Limit of the JavaScript heap', SLOT),
    otel: 'v8js_memory_heap_limit_bytes',
  },
  holdfast_worker_external_memory_bytes: gauge('Memory outside of the JavaScript heap, such as buffers', SLOT),
  holdfast_worker_gc_seconds: {
    ...histogram('Duration of garbage collections, by kind', ['slot', 'kind']),
    ...{ otel: 'v8js_gc_duration_seconds', otelLabels: { kind: 'v8js_gc_type' } },
  },
  holdfast_worker_event_loop_seconds_total: {
    ...counter('Time of the event loop, by state: active or idle', ['slot', 'state']),
    ...{ otel: 'nodejs_eventloop_time_seconds_total', otelLabels: { state: 'nodejs_eventloop_state' } },
  },
  holdfast_worker_event_loop_utilization: {
    ...gauge('Share of the time in which the event loop was active, 0 to 1, in the last 15 s', SLOT),
    otel: 'nodejs_eventloop_utilization_ratio',
  },
  holdfast_worker_event_loop_delay_mean_seconds: delay('mean', 'Mean delay of the event loop'),
  holdfast_worker_event_loop_delay_p50_seconds: delay('p50', 'Median delay of the event loop'),
  holdfast_worker_event_loop_delay_p99_seconds: delay(
    'p99',
    '99th percentile of the delay of the event loop, of the worst second',
  ),
  holdfast_worker_event_loop_delay_max_seconds: delay('max', 'Longest delay of the event loop'),
  holdfast_socket_queue_length: gauge('Connections that wait to be accepted', ['address', 'slot']),
  holdfast_socket_queue_limit: gauge('How many connections may wait to be accepted', ['address', 'slot']),
  holdfast_socket_weight: gauge('Weight of the socket in the choice for a new connection', ['address', 'slot']),
  holdfast_socket_share: gauge('Share of new connections that follows from the weight, 0 to 1', ['address', 'slot']),
  holdfast_scrape_silent_workers: gauge(
    'Workers that did not answer this scrape within 500 ms, and are left out of gauges',
  ),
  holdfast_application_series: gauge("Series of the application's own metrics"),
  holdfast_application_series_left_out: gauge(
    'Series of the application that are left out: beyond the limit, or with a name that holdfast uses',
  ),
  holdfast_application_failures: gauge("Workers whose application's metrics could not be read"),
  holdfast_application_age_seconds: gauge(
    "How long ago the application's metrics were read in the worker that was read first",
  ),
  holdfast_supervisor_cpu_seconds_total: counter('CPU time of the supervisor itself'),
  holdfast_supervisor_resident_memory_bytes: gauge('Resident memory of the supervisor itself'),
  holdfast_supervisor_start_time_seconds: gauge('Start of the supervisor, in seconds since 1970'),
} as const satisfies Readonly<Record<string, Entry>>;

export type MetricName = keyof typeof CATALOG;

function gauge(help: string, labels: readonly string[] = []) {
  return { type: 'gauge', help, labels } as const;
}

function counter(help: string, labels: readonly string[] = []) {
  return { type: 'counter', help, labels } as const;
}

function histogram(help: string, labels: readonly string[]) {
  return { type: 'histogram', help, labels } as const;
}

function delay(what: string, help: string) {
  return { ...gauge(`${help}, in the last 15 s`, SLOT), otel: `nodejs_eventloop_delay_${what}_seconds` } as const;
}
