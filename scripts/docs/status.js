// docs/reference/status.md: the fields of `holdfast status --json`, from the schema of the control API.
import { code, page, table } from './markdown.js';
import { readApi, typeOf } from './openapi.js';

export function statusPage(text) {
  const { document, resolve } = readApi(text);
  const rows = [];
  add(document.components.schemas.Status, '');
  return page('Status fields', 'config/openapi.yaml', [
    `What \`holdfast status --json\` prints, and what \`GET /v1/status\` of the control socket and \`/status\` of the
[admin address](../admin.md) answer. Fields may be added, and are never renamed or removed. Durations end in \`Ms\`
(milliseconds), sizes in \`Bytes\`.`,
    table(['field', 'type', 'meaning'], rows),
    'Next: [metrics](metrics.md)',
  ]);

  function add(schema, prefix) {
    for (const [name, property] of Object.entries(resolve(schema).properties)) {
      const path = `${prefix}${name}`;
      const field = resolve(property);
      if (field.description === undefined)
        throw new Error(`cannot write the status fields: ${path} has no description in config/openapi.yaml`);
      rows.push([code(path), typeOf(field, resolve), field.description.trim()]);
      const inner = innerOf(field);
      if (inner !== null) add(inner.schema, `${path}${inner.mark}.`);
    }
  }

  /** The object whose fields come next, if there is one. */
  function innerOf(field) {
    if (field.type === 'array') {
      const items = resolve(field.items);
      return items.properties === undefined ? null : { schema: items, mark: '[]' };
    }
    const object = [field, ...(field.oneOf ?? [])].map(resolve).find(({ properties }) => properties !== undefined);
    return object === undefined ? null : { schema: object, mark: '' };
  }
}
