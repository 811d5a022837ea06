import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';

const github = fileURLToPath(new URL('../.github/', import.meta.url));
const KINDS = ['markdown', 'textarea', 'input', 'dropdown', 'checkboxes'];

interface Field {
  readonly type: string;
  readonly id?: string;
  readonly attributes: { readonly label?: string; readonly value?: string };
  readonly validations?: { readonly required?: boolean };
}

const forms = readdirSync(path.join(github, 'ISSUE_TEMPLATE'))
  .filter((file) => file !== 'config.yml')
  .map((file) => {
    const text = readFileSync(path.join(github, 'ISSUE_TEMPLATE', file), 'utf8');
    return { file, form: parse(text) as { name: string; description: string; body: Field[] } };
  });

t.test('the issue forms are complete', async (t) => {
  t.ok(forms.length >= 2);
  for (const { file, form } of forms) {
    t.ok(form.name && form.description, file);
    const fields = form.body.filter(({ type }) => type !== 'markdown');
    for (const { type, id, attributes } of fields) {
      t.ok(KINDS.includes(type) && id && attributes.label, `${file}: ${id}`);
    }
    t.equal(new Set(fields.map(({ id }) => id)).size, fields.length, `${file}: each field has its own id`);
  }
});

t.test('a bug report needs what doctor says, and the version', async (t) => {
  const bug = forms.find(({ file }) => file === 'bug.yml')?.form;
  for (const [id, command] of [
    ['doctor', 'holdfast doctor --json'],
    ['version', 'holdfast --version'],
  ] as const) {
    const field = bug?.body.find((field) => field.id === id);
    t.match(field?.attributes.label, `\`${command}\``);
    t.equal(field?.validations?.required, true, id);
  }
});

t.test('a pull request is asked for what doctor says as well', async (t) => {
  t.match(readFileSync(path.join(github, 'PULL_REQUEST_TEMPLATE.md'), 'utf8'), '`holdfast doctor --json`');
});
