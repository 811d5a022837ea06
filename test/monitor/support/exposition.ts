/**
 * Reads Prometheus' text format as strictly as its scraper does: every series once, with a help and a type before it.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"`;
const SAMPLE = new RegExp(String.raw`^(${NAME})((?:\{${LABEL}(?:,${LABEL})*\})?) (\S+)$`);

/** The value of each series, by its name with its labels. @throws where the text is not in the format */
export function metricsOf(text: string): Record<string, number> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const typed = new Set<string>();
  const found: Record<string, number> = {};
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const [, of, type] = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`).exec(line) ?? [];
    if (of !== undefined) {
      if (typed.has(of)) throw new Error(`${of} comes twice`);
      typed.add(of);
      const parts = type === 'histogram' || type === 'summary' ? ['_bucket', '_sum', '_count'] : [];
      for (const part of parts) typed.add(of + part);
      continue;
    }
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (!typed.has(name)) throw new Error(`no sample, or one without a type: ${line}`);
    const number = Number(value.replace('Inf', 'Infinity'));
    if (Number.isNaN(number) && value !== 'NaN') throw new Error(`no number: ${line}`);
    if (name + labels in found) throw new Error(`${name}${labels} comes twice`);
    found[name + labels] = number;
  }
  return found;
}
