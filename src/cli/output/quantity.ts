/** Quantities as people read them; `-` for what is not known. */

const UNKNOWN = '-';

/** `850ms`, `12s`, `3m 5s`, `2h 14m`, `6d 3h`: the two largest units. */
export function formatDuration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < 1000) return '1s';
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** `812K`, `48.3M`, `1.2G`: in units of 1024, as sizes in the configuration. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return UNKNOWN;
  let amount = bytes / 1024;
  for (const unit of ['K', 'M']) {
    if (amount < 1023.95) return unit === 'K' ? `${Math.round(amount)}K` : `${amount.toFixed(1)}M`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)}G`;
}

export function formatPercent(percent: number | null): string {
  return percent === null ? UNKNOWN : `${percent.toFixed(1)}%`;
}

export function formatDelay(ms: number | null): string {
  return ms === null ? UNKNOWN : `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)}ms`;
}

export function formatCount(count: number | null): string {
  return count === null ? UNKNOWN : String(count);
}

/** `9s`, `1m 5s`: what is still to come, which nobody counts in milliseconds. */
export function formatRest(ms: number): string {
  return ms <= 0 ? '0s' : formatDuration(Math.ceil(ms / 1000) * 1000);
}

/** `0.3 s`, `55 ms`, `2 min 5 s`: a duration in a sentence, where a tenth of a second is enough. */
export function formatTime(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  return formatDuration(ms).replaceAll(
    /(\d)([hmsd])/g,
    (_all, digit, unit) => `${digit} ${unit === 'm' ? 'min' : unit}`,
  );
}

/** A field of a log line as `name=value`: the unit is in the name there, here it is in the value. */
export function formatField(name: string, value: unknown): string {
  if (typeof value === 'number' && /[a-z]Ms$/.test(name)) return `${name.slice(0, -2)}=${formatTime(value)}`;
  if (typeof value === 'number' && /[a-z]Bytes$/.test(name)) return `${name.slice(0, -5)}=${formatBytes(value)}`;
  // A share of 2 % is no 0.
  if (typeof value === 'number')
    return `${name}=${Math.abs(value) < 1 ? Number(value.toPrecision(2)) : Math.round(value * 10) / 10}`;
  return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
}
