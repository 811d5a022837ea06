/** The text of a unit file out of its settings, without those that a version of systemd does not know. Pure. */

export interface Setting {
  readonly key: string;
  readonly value: string;
  /** The first version of systemd that knows it; left out for what all know. */
  readonly since?: number;
}

export interface Section {
  readonly title: 'Unit' | 'Service' | 'Socket' | 'Install';
  /** Blocks are divided by an empty line; each has its reason above it. */
  readonly blocks: readonly Block[];
}

export interface Block {
  readonly why?: string | undefined;
  readonly settings: readonly (Setting | null)[];
}

export const set = (key: string, value: string | number, since?: number): Setting => ({
  key,
  value: String(value),
  ...(since !== undefined && { since }),
});

/** @param header lines of a comment at the top */
export function unitFile(header: readonly string[], sections: readonly Section[], systemd: number): string {
  const parts = sections.map(({ title, blocks }) => {
    const texts = blocks.map((block) => blockText(block, systemd)).filter((text) => text !== '');
    return `[${title}]\n${texts.join('\n')}`;
  });
  return [header.map(comment).join(''), ...parts].join('\n');
}

/** Empty where nothing of it is known. */
function blockText({ why, settings }: Block, systemd: number): string {
  const lines = settings.flatMap((setting) =>
    setting === null || (setting.since ?? 0) > systemd ? [] : [`${setting.key}=${setting.value}\n`],
  );
  if (lines.length === 0) return '';
  return `${why === undefined ? '' : comment(why)}${lines.join('')}`;
}

function comment(text: string): string {
  return text.replace(/^/gm, '# ').concat('\n');
}
