// Loaded before the application: counts as many do, with prom-client's default metrics and a histogram by route.
if (process.env.HOLDFAST_SLOT !== undefined) {
  const client = require('prom-client');
  client.collectDefaultMetrics();
  const time = new client.Histogram({ name: 'http_seconds', help: 'Time', labelNames: ['route', 'status'] });
  for (let route = 0; route < 10; route++) for (const status of [200, 404, 500]) time.observe({ route, status }, 0.1);
}
