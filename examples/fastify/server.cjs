// A Fastify application, as CommonJS, unchanged.
const fastify = require('fastify')();

fastify.get('/', async () => ({ framework: 'fastify', pid: process.pid }));
fastify.post('/echo', async (request) => request.body);

fastify.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' }).then(
  (address) => console.log(`listening on ${address}`),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

process.once('SIGTERM', async () => {
  await fastify.close();
  process.exit(0);
});
