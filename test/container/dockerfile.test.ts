import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { answerOf } from './support/answer.js';
import { execForm, ignoring, parseDockerfile } from './support/dockerfile.js';
import { buildImage, Container, whyNot } from './support/image.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(path.join(root, 'Dockerfile'), 'utf8');
const stages = parseDockerfile(text);
const final = stages.at(-1)!;
const reason = whyNot();
const skip = reason ?? false;

const step = (name: string) => final.steps.find((one) => one.name === name)?.text ?? '';

t.test('what is copied is there, and .dockerignore lets it through', async (t) => {
  const { isIgnored, isEntered } = ignoring(readFileSync(path.join(root, '.dockerignore'), 'utf8'));
  const copied = stages.flatMap(({ steps }) =>
    steps
      .filter(({ name, flags }) => name === 'COPY' && flags.from === undefined)
      .flatMap((one) => one.text.split(' ').slice(0, -1)),
  );
  t.ok(copied.length > 8);
  for (const name of copied) {
    t.ok(existsSync(path.join(root, name)), `${name} is there`);
    t.notOk(isIgnored(name), `${name} gets into the build`);
  }
  for (const name of [
    '.git/config',
    'node_modules/yaml',
    'test/a.ts',
    'dist/index.js',
    '.env',
    'src/.env.local',
    'a.log',
  ]) {
    t.ok(isIgnored(name), `${name} does not`);
  }
  for (const name of ['src', 'src/core', 'scripts', 'examples']) t.ok(isEntered(name), `${name} is looked into`);
  // Tests that run at the same time make and remove folders there.
  for (const name of ['.tap', 'test', 'dist', 'scripts/old']) t.notOk(isEntered(name), `${name} is not`);
});

t.test('dependencies are installed before any source is copied', async (t) => {
  for (const { steps } of stages) {
    const install = steps.findIndex(({ name, text }) => name === 'RUN' && text.startsWith('npm ci'));
    if (install < 0) continue;
    const before = steps.slice(0, install).filter(({ name }) => name === 'COPY');
    t.same(
      before.map((one) => one.text),
      ['package.json package-lock.json .npmrc ./'],
    );
  }
});

t.test('it is another user than root, and nothing that is run at the end needs a shell', async (t) => {
  t.match(step('USER'), /^[1-9]\d*:[1-9]\d*$/, 'a number: a name does not tell that it is not root');
  t.same(execForm(step('ENTRYPOINT')), ['holdfast', 'start']);
  t.same(execForm(step('HEALTHCHECK').replace('CMD ', '')), ['holdfast', 'status']);
  t.equal(step('STOPSIGNAL'), 'SIGTERM');
  t.same([...new Set(stages.map(({ base }) => base))], ['node:24-slim']);
});

t.test('the image serves, says how it is, and stops', { skip, timeout: 220_000 }, async (t) => {
  const image = buildImage(t, root);
  const has = (name: string) => existsSync(path.join(image.files, 'opt/holdfast', name));
  t.ok(has('dist/program/main.cjs'));
  t.notOk(has('dist/cli'), 'nothing but what runs is in it');
  for (const name of ['src', 'test', 'node_modules/typescript', 'node_modules/koffi/vendor', 'dist/../.git']) {
    t.notOk(has(name), `${name} is not in it`);
  }
  const port = await freePort();
  const env = { PORT: String(port) };

  const nobody = new Container(t, image, { command: image.healthcheck });
  t.equal(await nobody.closed, 3, 'where no supervisor runs it is not healthy');

  // Any user will do: some platforms choose one by chance.
  for (const user of [image.user, '65534:65534']) {
    const container = new Container(t, image, { env, user });
    const answer = (await answerOf(port, container)) as { hello: string };
    t.match(answer, { hello: 'world', slot: /^[01]$/ }, `it serves as ${user}`);
    t.match(readFileSync(`/proc/${container.pid}/status`, 'utf8'), /^NSpid:\t\d+\t1$/m, 'as PID 1');
    t.equal(await container.exec(image.healthcheck), 0, 'it is healthy');
    t.not(await container.exec(['/bin/sh', '-c', 'true']), 0, 'there is no shell');
    t.not(await container.exec(['touch', '/opt/holdfast/x']), 0, 'nothing can be written');
    t.equal(await container.exec(['holdfast', 'reload']), 0);
    t.match(await answerOf(port, container), { generation: '2' });
    t.notMatch(container.output, /"level":"(?:warn|error)"/);
    container.stop();
    t.equal(await container.closed, 0, 'STOPSIGNAL ends it well');
  }
});
