/** Programs that run as they are written, or after a compiler. */
import { collector } from './collector.js';
import type { Program } from './program.js';

/** As long as what a form sends. */
export const BODY = JSON.stringify({ text: 'x'.repeat(500) });
/** What every program here answers to it. */
export const RECEIVED = /^\{"received":500\}$/;

const EXPRESS = { express: '5.3.0' };
const FASTIFY = { 'fastify-cli': '8.0.2', fastify: '5.12.8' };

const FASTIFY_PLUGIN = `module.exports = async (app, options) => {
  app.get('/', async () => 'Hello from Fastify');
  app.post('/echo', async (request) => ({ received: request.body.text.length }));
};
`;

export const SERVERS: readonly Program[] = [
  {
    name: 'h3 2 (srvx)',
    packages: { h3: '2.0.8' },
    files: {
      'server.mjs': `import { H3, serve } from 'h3';
const app = new H3()
  .get('/', () => 'Hello from h3')
  .post('/echo', async (event) => ({ received: (await event.req.json()).text.length }));
serve(app);
`,
    },
    inCi: true,
    plain: 'node server.mjs',
    start: 'server.mjs',
    get: { path: '/', expected: /^Hello from h3$/ },
    post: { path: '/echo', body: BODY, expected: /"received":\s*500/ },
  },
  {
    name: 'Hono',
    packages: { '@hono/node-server': '2.1.9', hono: '4.13.19' },
    files: {
      'server.mjs': `import { serve } from '@hono/node-server';
import { Hono } from 'hono';
const app = new Hono()
  .get('/', (context) => context.text('Hello from Hono'))
  .post('/echo', async (context) => context.json({ received: (await context.req.json()).text.length }));
serve({ fetch: app.fetch, port: Number(process.env.PORT) });
`,
    },
    inCi: false,
    plain: 'node server.mjs',
    start: 'server.mjs',
    get: { path: '/', expected: /^Hello from Hono$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: 'sirv, which looks for a free port',
    packages: { 'sirv-cli': '3.0.1' },
    files: { 'public/index.html': '<h1>Hello from sirv</h1>' },
    inCi: true,
    plain: 'sirv public',
    start: 'sirv -- public',
    get: { path: '/', expected: /^<h1>Hello from sirv<\/h1>$/ },
    post: { path: '/', body: BODY, expected: /^<h1>Hello from sirv<\/h1>$/ },
  },
  {
    name: 'Fastify, by its command',
    packages: FASTIFY,
    files: { 'app.js': FASTIFY_PLUGIN },
    inCi: true,
    plain: 'fastify start -l info app.js',
    start: 'fastify -- start -l info app.js',
    get: { path: '/', expected: /^Hello from Fastify$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: "pnpm's shell scripts in .bin",
    packages: FASTIFY,
    installer: 'pnpm',
    files: { 'app.js': FASTIFY_PLUGIN },
    inCi: true,
    plain: 'node_modules/.bin/fastify start app.js',
    start: 'node_modules/.bin/fastify -- start app.js',
    get: { path: '/', expected: /^Hello from Fastify$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: 'Nest',
    packages: {
      '@nestjs/core': '12.5.1',
      '@nestjs/common': '12.5.1',
      '@nestjs/platform-express': '12.5.1',
      'reflect-metadata': '0.2.2',
      rxjs: '7.8.2',
      typescript: '5.9.3',
    },
    files: {
      'package.json': '{"type": "module", "scripts": {"build": "tsc", "start:prod": "node dist/main"}}',
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          module: 'nodenext',
          target: 'es2023',
          types: [],
          outDir: 'dist',
          rootDir: 'src',
          experimentalDecorators: true,
          emitDecoratorMetadata: true,
          skipLibCheck: true,
        },
        include: ['src'],
      }),
      'src/main.ts': `import { Body, Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

class Message {
  text!: string;
}

@Controller()
class AppController {
  @Get()
  hello(): string {
    return 'Hello from Nest';
  }

  @Post('echo')
  @HttpCode(200)
  echo(@Body() message: Message): object {
    return { received: message.text.length };
  }
}

@Module({ controllers: [AppController] })
class AppModule {}

declare const process: { env: Record<string, string | undefined> };

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
`,
    },
    build: ['npm run build'],
    inCi: true,
    plain: 'npm run start:prod',
    start: 'npm run start:prod',
    get: { path: '/', expected: /^Hello from Nest$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: 'Node-RED',
    packages: { 'node-red': '4.1.8' },
    files: {
      'flows.json': JSON.stringify([
        { id: 'a1', type: 'tab', label: 'Hello' },
        { id: 'a2', type: 'http in', z: 'a1', url: '/hello', method: 'get', wires: [['a3']] },
        { id: 'a3', type: 'template', z: 'a1', field: 'payload', template: 'Hello from Node-RED', wires: [['a6']] },
        { id: 'a4', type: 'http in', z: 'a1', url: '/echo', method: 'post', wires: [['a5']] },
        {
          id: 'a5',
          type: 'function',
          z: 'a1',
          func: 'msg.payload = { received: msg.payload.text.length }; return msg;',
          outputs: 1,
          wires: [['a6']],
        },
        { id: 'a6', type: 'http response', z: 'a1', wires: [] },
      ]),
    },
    inCi: true,
    plain: 'node-red --userDir data flows.json',
    start: 'node-red --health /hello -- --userDir data flows.json',
    instances: 1,
    get: { path: '/hello', expected: /^Hello from Node-RED$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: 'tsx',
    packages: { tsx: '4.23.15', ...EXPRESS },
    files: {
      'package.json': '{"type": "module"}',
      'app.ts': `import express, { type Request, type Response } from 'express';

enum Greeting {
  Hello = 'Hello from tsx',
}

express()
  .get('/', (_: Request, response: Response) => void response.send(Greeting.Hello))
  .post('/echo', express.json(), (request: Request, response: Response) => void response.json({ received: request.body.text.length }))
  .listen(process.env.PORT);
`,
    },
    inCi: true,
    plain: 'tsx app.ts',
    start: 'tsx app.ts',
    get: { path: '/', expected: /^Hello from tsx$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: 'OpenTelemetry, by NODE_OPTIONS',
    packages: {
      '@opentelemetry/auto-instrumentations-node': '0.79.0',
      '@opentelemetry/api': '1.9.1',
      ...EXPRESS,
    },
    files: {
      'app.cjs': `const { trace } = require('@opentelemetry/api');
const express = require('express');

const isTraced = () => trace.getActiveSpan()?.isRecording() === true;

express()
  .get('/', (_, response) => void response.json({ isTraced: isTraced() }))
  .post('/echo', express.json(), (request, response) => void response.json({ received: request.body.text.length }))
  .listen(process.env.PORT);
`,
    },
    inCi: true,
    env: {
      NODE_OPTIONS: '--require @opentelemetry/auto-instrumentations-node/register',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_NODE_RESOURCE_DETECTORS: 'env,host,os',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
    },
    beside: collector,
    plain: 'node app.cjs',
    start: 'app.cjs',
    get: { path: '/', expected: /^\{"isTraced":true\}$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
  },
  {
    name: 'prom-client',
    packages: { 'prom-client': '15.1.3', ...EXPRESS },
    files: {
      'app.mjs': `import express from 'express';
import { collectDefaultMetrics, Counter, register } from 'prom-client';

collectDefaultMetrics();
const received = new Counter({ name: 'received_total', help: 'Messages received' });

express()
  .get('/', (_, response) => void response.send('Hello from prom-client'))
  .post('/echo', express.json(), (request, response) => {
    received.inc();
    response.json({ received: request.body.text.length });
  })
  .get('/metrics', async (_, response) => void response.type(register.contentType).send(await register.metrics()))
  .listen(process.env.PORT);
`,
    },
    inCi: true,
    plain: 'node app.mjs',
    start: 'app.mjs',
    get: { path: '/', expected: /^Hello from prom-client$/ },
    post: { path: '/echo', body: BODY, expected: RECEIVED },
    others: [{ path: '/metrics', expected: /^received_total \d+$/m, differs: true }],
  },
];
