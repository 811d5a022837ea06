// An Express application (CommonJS or ESM, it makes no difference), unchanged.
import express from 'express';

const app = express();
app.use(express.json());
app.get('/', (_request, response) => response.json({ framework: 'express', pid: process.pid }));
app.post('/echo', (request, response) => response.json(request.body));

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on port ${server.address().port}`);
});
