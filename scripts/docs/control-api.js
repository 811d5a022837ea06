// docs/reference/control-api.md: the paths and the events of the control API, from its schema.
import { code, codes, page, table } from './markdown.js';
import { readApi } from './openapi.js';

export function controlApiPage(text) {
  const { document, resolve } = readApi(text);
  const paths = Object.entries(document.paths).flatMap(([path, item]) =>
    ['get', 'post']
      .filter((method) => item[method] !== undefined)
      .map((method) => [code(`${method.toUpperCase()} ${path}`), item[method].summary]),
  );
  const events = document.components.schemas.Event.oneOf.flatMap((one) => {
    const { event, data } = one.properties;
    const fields = Object.keys(resolve(data).properties ?? {});
    const names = event.const === undefined ? event.enum : [event.const];
    if (one.description === undefined)
      throw new Error(`cannot write the events: ${names} has no description in config/openapi.yaml`);
    return [[codes(names), fields.length === 0 ? '' : codes(fields), one.description]];
  });
  return page('Control API', 'config/openapi.yaml', [
    `A supervisor answers HTTP with JSON on its control socket, \`NAME.sock\` in the runtime folder. \`config/openapi.yaml\` describes every
body, answer and error (OpenAPI 3.1). [For programs](../api.md#the-control-api) is the guide.`,
    `## Paths\n\n${table(['path', 'what it does'], paths)}`,
    `## Events\n\nWhat \`GET /v1/events\` sends, as server-sent events.\n\n${table(['event', 'data', 'when'], events)}`,
    'Next: [how holdfast works](../design.md)',
  ]);
}
