// Reads config/openapi.yaml for the pages that are made from it.
import { parse } from 'yaml';

/** @param text of config/openapi.yaml @returns the document and `resolve`, which follows a `$ref` */
export function readApi(text) {
  const document = parse(text);
  const resolve = (schema) => {
    if (schema.$ref === undefined) return schema;
    const found = schema.$ref
      .slice(2)
      .split('/')
      .reduce((node, key) => node[key], document);
    const { $ref, ...own } = schema;
    return { ...resolve(found), ...own };
  };
  return { document, resolve };
}

/** What a value may be, in words. */
export function typeOf(schema, resolve) {
  const { type, enum: values, const: only, items, oneOf, additionalProperties } = resolve(schema);
  if (only !== undefined) return `\`${only}\``;
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ');
  if (oneOf !== undefined)
    return oneOf
      .map((one) => typeOf(one, resolve))
      .toSorted((a, b) => (a === 'null') - (b === 'null'))
      .join(' or ');
  if (type === 'array') return `list of ${plural(typeOf(items, resolve))}`;
  if (type === 'object' && typeof additionalProperties === 'object')
    return `object of ${plural(typeOf(additionalProperties, resolve))}`;
  return [type].flat().join(' or ');
}

const plural = (word) => (/^[a-z]+$/.test(word) ? `${word}s` : word);
