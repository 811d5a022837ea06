/**
 * Metrics as Prometheus' protocol buffers, the only format with native histograms: each a MetricFamily after its length. Pure.
 *
 * https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
 * https://protobuf.dev/programming-guides/encoding/
 */
import type { Family, Labels, NativeHistogram, Part, Sample } from './family.js';

export const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

const TYPES = { counter: 0, gauge: 1, summary: 2, histogram: 4 } as const;
/** The field of `Metric` that each is. */
const FIELDS = { counter: 3, gauge: 2, summary: 4, histogram: 7 } as const;
/** 2^(1/4) from one bucket to the next. */
const SCHEMA = 2;
const VARINT = 0;
const DOUBLE = 1;
const BYTES = 2;

export function protobufOf(families: readonly Family[]): Buffer {
  const all: Buffer[] = [];
  for (const family of families) {
    const head = new Message().text(1, family.name).text(2, family.help).number(3, TYPES[family.type]);
    const own = [Buffer.from(head.bytes), ...family.parts.map((part) => metricsOf(family, part))];
    const length = own.reduce((sum, { length }) => sum + length, 0);
    all.push(Buffer.from(new Message().varint(length).bytes), ...own);
  }
  return Buffer.concat(all);
}

/** As of text: a part is of one family, and what goes along with a native histogram is made anew in each scrape. */
const written = new WeakMap<Part, Buffer>();

function metricsOf(family: Family, part: Part): Buffer {
  let bytes = written.get(part);
  if (bytes === undefined) {
    const message = new Message();
    for (const metric of metrics(family, part)) message.message(4, metric);
    bytes = Buffer.from(message.bytes);
    written.set(part, bytes);
  }
  return bytes;
}

function metrics({ type, native = [] }: Family, samples: Part): Message[] {
  if (type === 'counter' || type === 'gauge') {
    return samples.map(({ labels, value }) => labelled(labels).message(FIELDS[type], new Message().double(1, value)));
  }
  const bound = type === 'histogram' ? 'le' : 'quantile';
  const found = new Map<string, { labels: Labels; samples: Sample[] }>();
  for (const sample of samples) {
    const labels = sample.labels.filter(([name]) => name !== bound);
    const key = JSON.stringify(labels);
    const group = found.get(key) ?? { labels, samples: [] };
    group.samples.push(sample);
    found.set(key, group);
  }
  return [...found].map(([key, { labels, samples }]) => {
    const value = new Message();
    // Both: who reads this format and knows no native histograms has the classic one.
    const same = native.find((one) => JSON.stringify(one.labels) === key);
    if (same !== undefined) addNative(value, same);
    for (const sample of samples) {
      const at = sample.labels.find(([name]) => name === bound)?.[1];
      if (sample.suffix === '_count') value.number(1, sample.value);
      else if (sample.suffix === '_sum') value.double(2, sample.value);
      else if (at !== undefined && type === 'summary') {
        value.message(3, new Message().double(1, Number(at)).double(2, sample.value));
      } else if (at !== undefined) {
        value.message(3, new Message().number(1, sample.value).double(2, at === '+Inf' ? Infinity : Number(at)));
      }
    }
    return labelled(labels).message(FIELDS[type], value);
  });
}

/** Beside the sum and the count, which both have. */
function addNative(value: Message, { zeroUpTo, zeroCount, offset, counts }: NativeHistogram): void {
  value.number(5, zigzag(SCHEMA)).double(6, zeroUpTo).number(7, zeroCount);
  let last = 0;
  // What two empty buckets would take is less than a span more.
  const length = counts.findLastIndex((one) => one > 0) + 1;
  // One of no length says that the histogram is a native one, though it is empty.
  value.message(12, new Message().number(1, zigzag(offset)).number(2, length));
  for (const one of counts.slice(0, length)) {
    value.number(13, zigzag(one - last));
    last = one;
  }
}

function labelled(labels: Labels): Message {
  const message = new Message();
  for (const [name, value] of labels) message.message(1, new Message().text(1, name).text(2, value));
  return message;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

class Message {
  readonly bytes: number[] = [];

  varint(value: number): this {
    // Past 32 bits there are no shifts.
    for (; value >= 128; value = Math.floor(value / 128)) this.bytes.push((value % 128) | 128);
    this.bytes.push(value);
    return this;
  }

  number(field: number, value: number): this {
    this.varint(field * 8 + VARINT);
    // Of an application's it may be anything.
    this.varint(Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(value) || 0)));
    return this;
  }

  double(field: number, value: number): this {
    this.varint(field * 8 + DOUBLE);
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    for (const byte of bytes) this.bytes.push(byte);
    return this;
  }

  text(field: number, text: string): this {
    return this.#part(field, Buffer.from(text));
  }

  message(field: number, { bytes }: Message): this {
    return this.#part(field, bytes);
  }

  #part(field: number, bytes: ArrayLike<number> & Iterable<number>): this {
    this.varint(field * 8 + BYTES);
    this.varint(bytes.length);
    for (const byte of bytes) this.bytes.push(byte);
    return this;
  }
}
