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

/** At even distances, as Prometheus does it. */
function scrape() {
  get('/metrics', agent)
    .on('error', fail)
    .once('close', () => setTimeout(scrape, 1000 - ((performance.now() - begun) % 1000)));
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
