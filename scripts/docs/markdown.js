// Markdown, as the generated pages need it.

/** A table. Cells are Markdown; a "|" in them is escaped. */
export function table(head, rows) {
  const line = (cells) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text) => `\`${text}\``;

export const codes = (texts) => texts.map(code).join(', ');

/** A page from its parts, with an empty line between them. @param source the file that it is made from */
export function page(title, source, parts) {
  const note = `<!-- Generated from ${source} by npm run docs: change it there. -->`;
  return `${[`# ${title}`, note, ...parts].join('\n\n')}\n`;
}
