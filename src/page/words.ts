/** Numbers and times as people read them. Pure. */

export type Known = number | null | undefined;
const NOTHING = '–';

export function count(value: Known): string {
  if (value == null) return NOTHING;
  if (value >= 100_000) return `${Math.round(value / 1000)} k`;
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

export function ms(value: Known): string {
  if (value == null) return NOTHING;
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function bytes(value: Known): string {
  if (value == null) return NOTHING;
  const mega = value / 1024 ** 2;
  return mega >= 1024 ? `${(mega / 1024).toFixed(1)} GiB` : `${Math.round(mega)} MiB`;
}

export function percent(value: Known): string {
  if (value == null) return NOTHING;
  const hundredths = value * 100;
  return `${hundredths > 0 && hundredths < 10 ? hundredths.toFixed(1) : Math.round(hundredths)} %`;
}

export function time(ms: Known): string {
  if (ms == null) return NOTHING;
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** @param at seconds since 1970 */
export function clock(at: number, withSeconds = true): string {
  const second = withSeconds ? { second: '2-digit' as const } : {};
  return new Date(at * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', ...second });
}

const ENOUGH = 6;

/** Without the rounding that would give two lines of a grid the same name. */
function exact(value: number): string {
  return String(Number(value.toPrecision(ENOUGH)));
}

/** What stands at the lines of a grid. */
export const AT_LINES = {
  count: (value: number) => (value >= 100_000 ? `${exact(value / 1000)} k` : exact(value)),
  ms: (value: number) => (value >= 10_000 ? `${exact(value / 1000)} s` : `${exact(value)} ms`),
  bytes(value: number) {
    const mega = value / 1024 ** 2;
    return mega >= 1024 ? `${exact(mega / 1024)} GiB` : `${exact(mega)} MiB`;
  },
} as const;

/** What may be of another day: also the day. @param at seconds since 1970 */
export function dated(at: number): string {
  const day = new Date(at * 1000).toLocaleDateString([], { day: 'numeric', month: 'short' });
  return `${day} ${clock(at)}`;
}

/** Colours and cursor movements of a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

export function withoutAnsi(text: string): string {
  return text.replace(ANSI, '');
}

/** Of a reason; what a worker wrote last follows it. */
export function firstLine(reason: string): string {
  return reason.replace(/(?:; the last it wrote:)?\n.*/s, '');
}
