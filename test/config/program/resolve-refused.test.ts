import t from 'tap';
import { project, refusal, write } from './support/project.js';

t.test('more than one command is refused, with what to give', async (t) => {
  const cwd = project(t, {
    scripts: {
      start: 'npm run build && node dist/server.js --port 80',
      pipe: 'tsc; node server.js | pino-pretty',
      both: 'node a.js & node b.js',
      or: 'node server.js || exit 1',
      back: 'node server.js &',
      log: 'node server.js > log',
      circle: 'npm run circle',
      serve: 'node server.js',
      preserve: 'tsc -p .',
    },
  });
  for (const [target, message] of [
    [
      'npm start',
      /^must be one command; npm start is "npm run build && .*": run the others in your deployment, and give "node dist\/server.js --port 80"$/,
    ],
    ['npm run pipe', /run the others in your deployment, and give "node server\.js"$/],
    ['npm run both', /which stays in the background: give each program to a supervisor of its own$/],
    ['npm run or', /: give "node server\.js" alone$/],
    ['npm run back', /stays in the background/],
    [
      'npm run log',
      /npm run log is "node server\.js > log": a redirection \(>\) needs a shell; name the script itself$/,
    ],
    [
      'npm run serve',
      /npm run serve runs preserve as well \(tsc -p \.\): run that in your deployment, and give "node server\.js" alone$/,
    ],
    ['npm run circle', /leads in a circle$/],
    [
      'tsc && node server.js',
      /it is "tsc && node server\.js": run the others in your deployment, and give "node server\.js"$/,
    ],
  ] as const) {
    t.match(await refusal(cwd, target), message, target);
  }
});

t.test('what cannot be followed is refused, with the reason', async (t) => {
  const cwd = project(
    t,
    { scripts: { start: 'nodemon server.js', test: 'x' }, workspaces: ['api'] },
    {
      'run.sh': '#!/bin/sh\necho\n',
      'app.py': '#!/usr/bin/env python3\n',
      tool: '\x7fELF\0',
      'node_modules/.bin/native': '\x7fELF\0',
    },
  );
  for (const [target, message] of [
    ['npm start', /nodemon restarts it by itself: name the script alone, with --watch/],
    ['npm run strat', /has no strat; did you mean "start"\?$/],
    ['npm run', /names no script: npm run NAME/],
    ['npm install', /npm install starts nothing/],
    ['npm', /npm alone starts nothing/],
    ['npm start -w api', /chooses a package by -w: name its folder, with --cwd$/],
    ['npm start --port 80', /has the option --port of npm, which is not followed/],
    ['pnpm --filter api start', /chooses a package by --filter/],
    ['pnpm dlx next', /pnpm dlx starts nothing/],
    ['yarn workspace api start', /chooses a package/],
    ['yarn', /yarn alone starts nothing/],
    ['npx -p next -c next', /has the option -p of npx/],
    ['node --watch server.js', /with --watch restarts it by itself/],
    ['node -e "1"', /runs no script with -e/],
    ['node', /names no script/],
    ['node none.js', /must be an existing file; there is no \S+none\.js/],
    ['tsx watch src/app.ts', /watch restarts it by itself/],
    ['ts-node -e 1', /has the option -e/],
    ['concurrently a b', /runs several commands/],
    ['pm2-runtime server.js', /supervises it by itself/],
    ['bun server.js', /is not Node/],
    ['sudo node server.js', /changes the user/],
    ['bash run.sh', /is a shell: name the program that it starts/],
    ['env-cmd -e production node server.js', /has the option -e, which is not followed: give the variables by envFile/],
    ['env-cmd -f env.js node server.js', /reads env\.js, which is a program/],
    ['env-cmd -f none.env node server.js', /there is no \S+none\.env/],
    ['cross-env A=1', /starts nothing/],
    ['./run.sh', /run\.sh is one for sh: name what it starts, or run it as it is with --exec$/],
    ['./app.py', /is one for python3: name what it starts, or run it as it is with --exec$/],
    ['./tool', /is a program for the machine itself: run it as it is with --exec$/],
    ['native', /is a program for the machine itself: run it as it is with --exec$/],
    [process.execPath, /must not name a Node: workers run on the one that runs holdfast$/],
    ['nxt', /there is no nxt in \S+; did you mean "next"\?$/],
    ['nxt.js', /must be an existing file; there is no \S+nxt\.js/],
  ] as const) {
    t.match(await refusal(cwd, target), message, target);
  }
  write(cwd, { '.pnp.cjs': '' });
  t.match(
    await refusal(cwd, 'vite'),
    /with Plug'n'Play, vite is inside an archive: yarn unplug vite, and name its file$/,
  );
});
