/**
 * YAML 1.2 as a configuration file has it. Imported only when there is such a file: the parser costs 10 MB.
 */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { Unreadable } from './text-file.js';

/**
 * @param texts keys whose members are texts: `VERSION: 1.10` keeps its zero
 * @throws Unreadable with line and column, and nothing of the text, in which secrets may stand
 */
export function parseYaml(text: string, texts: readonly string[]): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.pos[0]);
    const reason = fault.code.toLowerCase().replaceAll('_', ' ');
    throw new Unreadable(`must be YAML; line ${line}, column ${col}: ${reason}`);
  }
  if (isMap(document.contents)) {
    for (const key of texts) keepSpelling(document, document.get(key, true) as Node | undefined);
    const apps = document.get('apps', true);
    for (const app of isSeq(apps) ? apps.items : []) keepSpellingIn(document, app, texts);
  }
  // PM2's file may be a list of applications.
  for (const app of isSeq(document.contents) ? document.contents.items : []) keepSpellingIn(document, app, texts);
  try {
    return document.toJS();
  } catch (cause) {
    // What is left to go wrong here are aliases: unknown ones, and those that unfold to something huge.
    throw new Unreadable('must be YAML whose aliases all have an anchor and unfold to little', { cause });
  }
}

function keepSpellingIn(document: Document, app: unknown, texts: readonly string[]): void {
  if (!isMap(app)) return;
  for (const { key, value } of app.items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (texts.includes(name) || /^env_/.test(name)) keepSpelling(document, value as Node | undefined);
  }
}

/** Makes numbers and truth values what their owner wrote. */
function keepSpelling(document: Document, node: Node | undefined): void {
  const parts = isAlias(node) ? node.resolve(document) : node;
  if (!isMap(parts) && !isSeq(parts)) return;
  for (const item of parts.items) {
    const value = isPair(item) ? item.value : item;
    if (isScalar(value) && ['number', 'boolean'].includes(typeof value.value)) value.value = value.source;
  }
}
