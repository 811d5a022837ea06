/** Frameworks: what is started is what their own build has made. */
import type { Program } from './program.js';
import { BODY, RECEIVED } from './servers.js';

const REACT = { react: '19.3.1', 'react-dom': '19.3.1' };

export const BUILT: readonly Program[] = [
  {
    name: 'Next, standalone',
    packages: { next: '16.4.6', ...REACT },
    files: {
      'next.config.mjs': `export default { output: 'standalone', outputFileTracingRoot: import.meta.dirname };
`,
      'app/layout.jsx': `export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
`,
      'app/page.jsx': `export default function Page() {
  return <h1>Hello from Next</h1>;
}
`,
      'app/echo/route.js': `export async function POST(request) {
  const { text } = await request.json();
  return Response.json({ received: text.length });
}
`,
    },
    build: ['next build', 'cp -r .next/static .next/standalone/.next/'],
    inCi: false,
    plain: 'node .next/standalone/server.js',
    start: '.next/standalone/server.js',
    get: { path: '/', expected: /Hello from Next/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: "Nuxt's node server",
    packages: { nuxt: '4.3.1' },
    files: {
      'package.json': '{"type": "module"}',
      'nuxt.config.ts': `export default defineNuxtConfig({ compatibilityDate: '2026-01-01' });
`,
      'app/app.vue': `<template><h1>Hello from Nuxt</h1></template>
`,
      'server/api/echo.post.ts': `export default defineEventHandler(async (event) => {
  const { text } = await readBody(event);
  return { received: text.length };
});
`,
    },
    build: ['nuxt build'],
    inCi: false,
    plain: 'node .output/server/index.mjs',
    start: '.output/server/index.mjs',
    get: { path: '/', expected: /Hello from Nuxt/ },
    post: { path: '/api/echo', body: BODY, expected: /"received":\s*500/ },
  },
  {
    name: 'React Router, by react-router-serve without PORT',
    packages: {
      '@react-router/serve': '7.18.4',
      '@react-router/dev': '7.18.4',
      '@react-router/node': '7.18.4',
      'react-router': '7.18.4',
      ...REACT,
      isbot: '5.2.3',
      vite: '7.3.8',
    },
    files: {
      'package.json': '{"type": "module"}',
      'vite.config.js': `import { reactRouter } from '@react-router/dev/vite';
export default { plugins: [reactRouter()] };
`,
      'app/root.jsx': `import { Outlet, Scripts } from 'react-router';
export default function Root() {
  return <html lang="en"><body><Outlet /><Scripts /></body></html>;
}
`,
      'app/routes.js': `import { index, route } from '@react-router/dev/routes';
export default [index('home.jsx'), route('echo', 'echo.js')];
`,
      'app/home.jsx': `export default function Home() {
  return <h1>Hello from React Router</h1>;
}
`,
      'app/echo.js': `export async function action({ request }) {
  const { text } = await request.json();
  return Response.json({ received: text.length });
}
`,
    },
    build: ['react-router build'],
    inCi: false,
    plain: 'react-router-serve ./build/server/index.js',
    start: 'react-router-serve -- ./build/server/index.js',
    announces: /http:\/\/localhost:(\d+)/,
    get: { path: '/', expected: /Hello from React Router/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
];
