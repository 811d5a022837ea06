// Makes a release: checks, version, changelog, package, commit, tag. It publishes nothing; it ends with the commands that do.
//
//   npm run release -- [VERSION | major | minor | patch] [--dry-run]
//
// Without a version it releases the one in package.json, which must not have been released yet. `--dry-run` runs the checks that
// change nothing, says every other step, and ends with 1 where something stands in the way.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const CHANGELOG = 'CHANGELOG.md';
const RELEASE_BRANCH = 'main';
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;
const UNRELEASED_LINK = /^\[Unreleased\]: .*$/m;
/** In this order: what takes longest comes last. */
const CHECKS = ['lint', 'types', 'test'];
/** They take seconds and write nothing that git sees. */
const IN_DRY_RUN = ['lint', 'types'];

const isDry = process.argv.includes('--dry-run');
main();

function main() {
  const wanted = readArguments();
  const { name, version: current } = JSON.parse(readFileSync('package.json', 'utf8'));
  const version = nextVersion(current, wanted);
  const changelog = movedSection(readFileSync(CHANGELOG, 'utf8'), version, new Date().toISOString().slice(0, 10));
  const tag = `v${version}`;
  const before = must('git', ['rev-parse', '--short', 'HEAD']);
  say(`release ${name} ${version}${isDry ? ' (dry run: nothing is changed)' : ''}`);

  const obstacles = [...obstaclesInGit(tag), ...(changelog.obstacle === undefined ? [] : [changelog.obstacle])];
  for (const obstacle of obstacles) say(`✗ ${obstacle}`);
  if (obstacles.length > 0 && !isDry) fail(`cannot release ${version}`, obstacles[0]);
  if (obstacles.length === 0) say(`✓ branch ${RELEASE_BRANCH}, clean tree, tag ${tag} is free, changelog has entries`);

  for (const check of CHECKS) {
    if (isDry && !IN_DRY_RUN.includes(check)) {
      say(`- would run npm ${check === 'test' ? '' : 'run '}${check}`);
    } else if (run('npm', ['run', check], 'inherit').status === 0) say(`✓ npm run ${check}`);
    else if (isDry) obstacles.push(say(`✗ npm run ${check} fails`));
    else fail(`cannot release ${version}`, `npm run ${check} fails`);
  }

  step(`${version === current ? 'keep' : `set ${current} to`} ${version} in package.json and package-lock.json`, () =>
    must('npm', ['version', version, '--no-git-tag-version', '--allow-same-version']),
  );
  step(changelog.step, () => writeFileSync(CHANGELOG, changelog.text));
  step(`pack ${name}-${version}.tgz`, () => must('npm', ['pack']));
  step(`commit "Release ${version}"`, () => {
    must('git', ['add', 'package.json', 'package-lock.json', CHANGELOG]);
    if (run('git', ['diff', '--cached', '--quiet']).status !== 0)
      must('git', ['commit', '-q', '-m', `Release ${version}`]);
  });
  step(`tag ${tag}`, () => must('git', ['tag', '-a', tag, '-m', `${name} ${version}`]));

  if (isDry && obstacles.length > 0) fail(`cannot release ${version}`, obstacles.join('; '));
  say(`then, to publish: git push origin ${RELEASE_BRANCH} ${tag} && npm publish ${name}-${version}.tgz`);
  if (!isDry) say(`to take it back before that: git tag -d ${tag} && git reset --hard ${before}`);
}

function readArguments() {
  try {
    const options = { 'dry-run': { type: 'boolean' } };
    const { positionals } = parseArgs({ options, allowPositionals: true });
    if (positionals.length > 1) throw new Error('more than one version is given');
    return positionals[0];
  } catch (error) {
    return fail('cannot read the arguments', error.message, 2);
  }
}

/** @returns what is released: the version that is wanted, or the one in package.json */
function nextVersion(current, wanted = current) {
  const [major, minor, patch] = VERSION.exec(current).slice(1).map(Number);
  if (wanted === 'major') return `${major + 1}.0.0`;
  if (wanted === 'minor') return `${major}.${minor + 1}.0`;
  if (wanted === 'patch') return `${major}.${minor}.${patch + 1}`;
  if (VERSION.test(wanted)) return wanted;
  return fail(`cannot release ${JSON.stringify(wanted)}`, 'give major, minor, patch, or a version such as 1.2.0', 2);
}

/** What is under [Unreleased] goes under the heading of the version, as keepachangelog.com has it. */
function movedSection(text, version, date) {
  const [head, ...sections] = text.split(/^(?=## )/m);
  const unreleased = sections.find((section) => section.startsWith('## [Unreleased]'));
  const isThere = sections.some((section) => section.startsWith(`## [${version}]`));
  const entries = unreleased?.replace(/^## .*\n/, '').trim() ?? '';
  const step = isThere
    ? `keep the section [${version}] of ${CHANGELOG}`
    : `move [Unreleased] of ${CHANGELOG} to [${version}] - ${date}`;
  if (isThere && entries === '') return { step, text };
  if (isThere)
    return { step, text, obstacle: `${CHANGELOG} has entries under [Unreleased] and a section [${version}] already` };
  if (entries === '') return { step, text, obstacle: `${CHANGELOG} has no entries under [Unreleased]` };
  const moved = `## [Unreleased]\n\n## [${version}] - ${date}\n\n${entries}\n\n`;
  const body = head + sections.map((section) => (section === unreleased ? moved : section)).join('');
  return { step, text: body.replace(UNRELEASED_LINK, linksOf(version)) };
}

function linksOf(version) {
  return `[Unreleased]: ../../compare/v${version}...HEAD\n[${version}]: ../../releases/tag/v${version}`;
}

function obstaclesInGit(tag) {
  const branch = must('git', ['branch', '--show-current']);
  const changes = must('git', ['status', '--porcelain']);
  return [
    ...(branch === RELEASE_BRANCH ? [] : [`the branch is ${branch || 'none'}, not ${RELEASE_BRANCH}`]),
    ...(changes === '' ? [] : [`the tree is not clean, see git status: ${changes.split('\n')[0]}`]),
    ...(must('git', ['tag', '--list', tag]) === '' ? [] : [`${tag} has been released: give major, minor or patch`]),
  ];
}

function step(what, act) {
  if (!isDry) act();
  say(isDry ? `- would ${what}` : `✓ ${what}`);
}

function run(program, words, stdout = 'pipe') {
  return spawnSync(program, words, { stdio: ['ignore', stdout, 'inherit'], encoding: 'utf8' });
}

function must(program, words) {
  const { status, stdout, error } = run(program, words);
  if (status === 0) return stdout.trim();
  return fail(`cannot run ${program} ${words.join(' ')}`, error?.message ?? `it ended with ${status}`);
}

function say(line) {
  console.log(line);
  return line;
}

function fail(what, why, code = 1) {
  console.error(`${what}: ${why}`);
  process.exit(code);
}
