/**
 * Who observes a supervisor, in a process of its own that takes as little as it can of the machine that is measured: scrapes each
 * second and has the page's feed open, until its standard input ends.
 * node observing-client.js ADMIN-PORT
 */
import http from 'node:http';

const port = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true });

const begun = performance.now();
scrape();
get('/feed')
  .on('error', fail)
  .once('close', () => fail(new Error('the page has been closed')));
process.stdin.resume().once('end', () => process.exit(0));

/** At even distances, as Prometheus does it. @param isAgain the one before found its connection closed */
function scrape(isAgain = false) {
  let isClosed = false;
  get('/metrics', agent)
    .on('error', (error) => {
      // Whoever was stopped, and be it amid a scrape, finds the connection closed meanwhile, and takes a new one, as Prometheus does.
      isClosed = error.code === 'ECONNRESET';
      if (!isClosed || isAgain) fail(error);
    })
    .once('close', () => {
      // Whoever was stopped meanwhile does not catch up.
      setTimeout(scrape, 1000 - ((performance.now() - begun) % 1000), isClosed);
    });
}

function get(path, through = false) {
  return http.get({ host: '127.0.0.1', port, path, agent: through }, (answer) => {
    if (answer.statusCode !== 200) fail(new Error(`${path} was answered with ${answer.statusCode}`));
    answer.resume();
  });
}

function fail(error) {
  console.error(error.message);
  process.exit(1);
}
