import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const COPIED = ['package.json', 'package-lock.json', '.gitignore', 'scripts/release.js', 'bin'];
const version = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }).version;
/** Its own: what is unreleased in that of the project must not decide what these tests see. */
const CHANGELOG = `# Changelog

## [Unreleased]

## [${version}] - 2026-01-01

### Added

- All of it.

[Unreleased]: ../../compare/v${version}...HEAD
[${version}]: ../../releases/tag/v${version}
`;
const skip = spawnSync('git', ['--version']).status === 0 ? false : 'git is not installed';

/** A repository with what a release touches. Its own checks are stand-ins: the real ones run for this repository anyway. */
class Repository {
  readonly dir = mkdtempSync(path.join(os.tmpdir(), 'holdfast-release-'));

  constructor(t: Test, checks: Record<string, string> = {}) {
    t.teardown(() => rmSync(this.dir, { recursive: true, force: true }));
    for (const file of COPIED) cpSync(path.join(root, file), path.join(this.dir, file), { recursive: true });
    writeFileSync(path.join(this.dir, 'CHANGELOG.md'), CHANGELOG);
    this.edit('package.json', (text) => {
      const manifest = JSON.parse(text);
      const scripts = { lint: 'exit 0', types: 'exit 0', test: 'exit 0', ...checks, release: manifest.scripts.release };
      return `${JSON.stringify({ ...manifest, scripts }, null, 2)}\n`;
    });
    this.git('init', '-q', '-b', 'main');
    this.git('config', 'user.name', 'Test');
    this.git('config', 'user.email', 'test@localhost');
    this.commit();
  }

  edit(file: string, change: (text: string) => string): void {
    writeFileSync(path.join(this.dir, file), change(readFileSync(path.join(this.dir, file), 'utf8')));
  }

  addEntry(): void {
    this.edit('CHANGELOG.md', (text) =>
      text.replace('## [Unreleased]\n', '## [Unreleased]\n\n### Fixed\n\n- A fault.\n'),
    );
    this.commit();
  }

  commit(): void {
    this.git('add', '-A');
    this.git('commit', '-q', '-m', 'State');
  }

  git(...words: string[]): string {
    return execFileSync('git', words, { cwd: this.dir, encoding: 'utf8' }).trim();
  }

  /** All that a release could change. */
  state(): string[] {
    return [this.git('rev-parse', 'HEAD'), this.git('tag'), this.git('status', '--porcelain', '--ignored')];
  }

  release(...words: string[]): { code: number | null; out: string; err: string } {
    const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'release', '--', ...words], {
      cwd: this.dir,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    return { code: status, out: stdout, err: stderr };
  }
}

t.test('a dry run says every step and changes nothing', { skip }, async (t) => {
  const repository = new Repository(t);
  repository.addEntry();
  const before = repository.state();
  const { code, out, err } = repository.release('minor', '--dry-run');
  t.equal(code, 0, err);
  const steps = out
    .split('\n')
    .map((line) => line.slice(0, 1) + line.slice(1).replace(/\d+\.\d+\.\d+|\d{4}-\S+/g, 'N'));
  t.match(steps, [
    'release holdfast N (dry run: nothing is changed)',
    '✓ branch main, clean tree, tag vN is free, changelog has entries',
    '✓ npm run lint',
    '✓ npm run types',
    '- would run npm test',
    '- would set N to N in package.json and package-lock.json',
    '- would move [Unreleased] of CHANGELOG.md to [N] - N',
    '- would pack holdfast-N.tgz',
    '- would commit "Release N"',
    '- would tag vN',
    'then, to publish: git push origin main vN && npm publish holdfast-N.tgz',
  ]);
  t.same(repository.state(), before);
});

t.test('a release moves the section of the changelog, packs, commits and tags', { skip }, async (t) => {
  const repository = new Repository(t);
  repository.git('tag', `v${version}`);
  repository.addEntry();
  const { code, err } = repository.release('patch');
  t.equal(code, 0, err);
  const released = version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
  t.equal(repository.git('describe', '--exact-match'), `v${released}`);
  t.match(repository.git('show', 'HEAD:package.json'), `"version": "${released}"`);
  const changelog = repository.git('show', 'HEAD:CHANGELOG.md');
  t.match(changelog, /## \[Unreleased\]\n\n## \[[.\d]+\] - \d{4}-\d\d-\d\d\n\n### Fixed\n\n- A fault\.\n\n## \[/);
  t.match(changelog, `[${released}]: ../../releases/tag/v${released}\n`);
  t.equal(repository.git('status', '--porcelain'), '');
  t.match(repository.git('status', '--porcelain', '--ignored'), `!! holdfast-${released}.tgz`);
});

t.test('the version of package.json is released when it has no tag, and once', { skip }, async (t) => {
  const repository = new Repository(t);
  t.match(repository.release('--dry-run'), { code: 0, out: `- would keep the section [${version}]` });
  repository.git('tag', `v${version}`);
  t.match(repository.release('--dry-run'), {
    code: 1,
    err: `v${version} has been released: give major, minor or patch`,
  });
});

t.test('what stands in the way is named', { skip }, async (t) => {
  const repository = new Repository(t, { lint: 'exit 3' });
  repository.git('checkout', '-q', '-b', 'topic');
  repository.edit('CHANGELOG.md', (text) => `${text}\n`);
  const before = repository.state();
  const { code, err } = repository.release('major', '--dry-run');
  t.equal(code, 1);
  for (const obstacle of [
    'the branch is topic, not main',
    'the tree is not clean, see git status:',
    'has no entries',
    'npm run lint fails',
  ])
    t.match(err, obstacle);
  t.match(repository.release('major'), { code: 1, err: /^cannot release \S+: the branch is topic/m });
  t.match(repository.release('next'), { code: 2, err: 'give major, minor, patch, or a version such as 1.2.0' });
  t.same(repository.state(), before);
});

t.test('the changelog has the usual form, and a section for the version', async (t) => {
  const lines = readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8').split('\n');
  const sections = lines.filter((line) => line.startsWith('## '));
  t.equal(sections[0], '## [Unreleased]');
  for (const section of sections.slice(1)) t.match(section, /^## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/);
  t.ok(
    sections.some((section) => section.startsWith(`## [${version}]`)),
    version,
  );
  for (const kind of lines.filter((line) => line.startsWith('### ')))
    t.match(kind, /^### (?:Added|Changed|Deprecated|Removed|Fixed|Security)$/);
});
