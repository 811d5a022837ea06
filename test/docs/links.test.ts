import path from 'node:path';
import t from 'tap';
import { anchorsOf, faultOf, GUIDES, linksOf, PAGES, proseOf } from './pages.js';

t.test('every link on every page leads to a file and a heading that exist', async (t) => {
  for (const page of PAGES) {
    const faults = linksOf(page).flatMap((target) => faultOf(page, target) ?? []);
    t.same(faults, [], page);
  }
});

t.test('a link to a file or a heading that does not exist is found', async (t) => {
  t.equal(faultOf('docs/start.md', 'no-such-page.md'), 'there is no docs/no-such-page.md');
  t.equal(faultOf('docs/start.md', 'logs.md#no-such-heading'), 'docs/logs.md has no heading #no-such-heading');
  t.equal(faultOf('docs/start.md', '#no-such-heading'), 'docs/start.md has no heading #no-such-heading');
  t.ok(anchorsOf('docs/restarts.md').has('reload-holdfast-reload-sighup'));
});

t.test('the table of contents has every page', async (t) => {
  const listed = new Set(linksOf('docs/README.md').map((target) => path.join('docs', target.split('#')[0] ?? '')));
  t.same(
    PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md' && !listed.has(page)),
    [],
  );
});

t.test('every page ends with where to go next', async (t) => {
  for (const page of GUIDES) t.match(proseOf(page).trimEnd().split('\n').at(-1), /^Next: .*\[.+\]\(.+\)$/, page);
});
