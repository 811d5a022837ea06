/** Reads as much of a Dockerfile as those of this project use, and fails at anything else. */

export interface Instruction {
  /** In capitals: `COPY`. */
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  /** What follows the flags, on one line. */
  readonly text: string;
}

export interface Stage {
  readonly base: string;
  readonly name: string | null;
  readonly steps: readonly Instruction[];
}

const KNOWN = [
  ...['COPY', 'RUN', 'WORKDIR', 'ENV', 'USER', 'EXPOSE', 'STOPSIGNAL', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'],
  ...['FROM'],
];

export function parseDockerfile(text: string): Stage[] {
  const stages: (Stage & { readonly steps: Instruction[] })[] = [];
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  for (const line of lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (!KNOWN.includes(name)) throw new Error(`not understood: ${line}`);
    const flags: Record<string, string> = {};
    const words = rest.replaceAll(/--([a-z-]+)=(\S+)\s+/g, (match, flag: string, value: string, at: number) => {
      // Behind the first word they are the command's own.
      if (!/^(--\S+\s+)*$/.test(rest.slice(0, at))) return match;
      flags[flag] = value;
      return '';
    });
    if (name === 'FROM') {
      const [, base = '', as = null] = /^(\S+)(?: AS (\S+))?$/.exec(words) ?? [];
      stages.push({ base, name: as, steps: [] });
    } else stages.at(-1)?.steps.push({ name, flags, text: words });
  }
  return stages;
}

/** The exec form; the shell form is refused, as it needs a shell in the image and takes the signals for itself. */
export function execForm(text: string): string[] {
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words)) throw new Error(`not in exec form: ${text}`);
  return words.map(String);
}

/** What .dockerignore lets through: the last line that matches a path, or a folder above it, decides. */
export interface Ignoring {
  isIgnored: (path: string) => boolean;
  /** Whether anything in the folder can get through. Where nothing can it is not read: others may write in it meanwhile. */
  isEntered: (folder: string) => boolean;
}

export function ignoring(text: string): Ignoring {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const rules = lines.map((line) => {
    const source = line
      .replace(/^!/, '')
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('**/', '\0')
      .replaceAll('*', '[^/]*')
      .replaceAll('\0', '(?:.*/)?');
    return { ignores: !line.startsWith('!'), pattern: new RegExp(`^${source}(?:/|$)`) };
  });
  const isIgnored = (path: string) => rules.findLast(({ pattern }) => pattern.test(path))?.ignores ?? false;
  const isEntered = (folder: string) =>
    !isIgnored(folder) || lines.some((line) => line.startsWith('!**/') || line.startsWith(`!${folder}/`));
  return { isIgnored, isEntered };
}
