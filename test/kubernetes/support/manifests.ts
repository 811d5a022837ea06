/** The manifests as they are committed, or spoiled by a test. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const folder = fileURLToPath(new URL('../../../config/kubernetes/', import.meta.url));

/** Anything that a path of keys leads to; checked by the schemas, not by types. */
// biome-ignore lint/suspicious/noExplicitAny: it is whatever the file says
type Any = any;

export interface Manifest {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: Any;
  readonly data: Readonly<Record<string, string>>;
}

/** Texts by file name. */
export function manifestTexts(): Map<string, string> {
  const files = readdirSync(folder).sort();
  return new Map(files.map((file) => [file, readFileSync(path.join(folder, file), 'utf8')]));
}

/** The same with one text replaced by another. @throws where there is nothing to replace, or more than one place */
export function spoiled(file: string, from: string, to: string): Map<string, string> {
  const texts = manifestTexts();
  const parts = (texts.get(file) ?? '').split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${from}`);
  return texts.set(file, parts.join(to));
}

/** @throws where a text is no YAML */
export function parseManifests(texts: ReadonlyMap<string, string>): Manifest[] {
  return [...texts].flatMap(([file, text]) =>
    parseAllDocuments(text).map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return { file, ...(document.toJS() as Omit<Manifest, 'file'>) };
    }),
  );
}

/** The only one of its kind, and of its name where that is given. @throws where there is none, or more */
export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const [found, ...more] = manifests.filter(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
  if (found === undefined || more.length > 0) throw new Error(`not exactly one ${kind} ${name ?? ''}`);
  return found;
}
