/** config/openapi.yaml, as far as a test holds it against what a server does. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { readEvents } from '../../../src/control/server-sent-events.js';
import type { Answer } from './http.js';

export interface Operation {
  readonly path: string;
  readonly method: string;
  /** By status code. */
  readonly responses: Readonly<Record<string, Media>>;
  readonly requestBody: unknown;
  /** Names of what may stand in the query. */
  readonly parameters: readonly string[];
}

/** Schemas by content type. */
type Media = { readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>> };

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly responses: Record<string, Media | { $ref: string }>;
            readonly requestBody?: unknown;
            readonly parameters?: readonly { readonly name: string }[];
          }
        >
      >
    >
  >;
  readonly components: {
    readonly responses: Readonly<Record<string, Media>>;
    readonly schemas: Record<string, unknown>;
  };
}

const text = readFileSync(fileURLToPath(new URL('../../../config/openapi.yaml', import.meta.url)), 'utf8');
export const document = parse(text) as Document;

const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true });
(addFormats as unknown as (to: Ajv2020) => void)(ajv);
ajv.addKeyword('components');
// A member that nobody has described is a fault here, though a client passes over it.
ajv.addSchema({ $id: 'api', components: { schemas: closed(document.components.schemas) } });

export function operations(): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses, requestBody, parameters = [] }]) => ({
      path,
      method: method.toUpperCase(),
      responses: Object.fromEntries(Object.entries(responses).map(([status, one]) => [status, resolved(one)])),
      requestBody,
      parameters: parameters.map(({ name }) => name),
    })),
  );
}

/** What is wrong with a value by the schema of that name; empty where nothing is. */
export function faultsOf(schema: string, value: unknown): string[] {
  const validate = ajv.getSchema(`api#/components/schemas/${schema}`);
  if (validate === undefined) throw new Error(`there is no schema ${schema}`);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** What is wrong with an answer, be it by its status, its type or its contents. */
export async function faultsOfAnswer(operation: Operation, answer: Answer): Promise<string[]> {
  const response = operation.responses[String(answer.statusCode)];
  if (response === undefined) return [`${answer.statusCode} is not described`];
  const type = answer.headers['content-type'] ?? '';
  const media = response.content[type];
  if (media === undefined) return [`${type} is not described`];
  const name = media.schema.$ref.replace('#/components/schemas/', '');
  return (await valuesIn(type, answer.text)).flatMap((value) => faultsOf(name, value));
}

export async function valuesIn(type: string, text: string): Promise<unknown[]> {
  if (type === 'application/json') return [JSON.parse(text)];
  const lines = text.split('\n');
  if (type === 'application/x-ndjson') return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  const values: unknown[] = [];
  for await (const { event, id, data } of readEvents(each(lines))) values.push({ id, event, data: JSON.parse(data) });
  return values;
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

function resolved(response: Media | { $ref: string }): Media {
  if (!('$ref' in response)) return response;
  const found = document.components.responses[response.$ref.replace('#/components/responses/', '')];
  if (found === undefined) throw new Error(`there is no ${response.$ref}`);
  return found;
}

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inside = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === 'not' ? value : closed(value)]),
  );
  const isOpen = schema !== null && 'properties' in schema && !('additionalProperties' in schema);
  return isOpen ? { ...inside, additionalProperties: false } : inside;
}
