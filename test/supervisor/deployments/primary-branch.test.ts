import t from 'tap';
import { hasPrimaryBranch } from '../../../src/supervisor/deployments/primary-branch.js';

t.test('a branch for the primary is one that forks', async (t) => {
  for (const [text, has] of [
    ["const cluster = require('node:cluster');\nif (cluster.isPrimary) { cluster.fork(); }", true],
    ["import cluster from 'cluster';\nif (cluster.isMaster) for (let i = 0; i < 4; i++) cluster.fork({ A: i });", true],
    ["import { isPrimary, fork } from 'node:cluster';\nif (isPrimary) fork ();", true],
    ["if (require('cluster').isPrimary) console.log('alone');", false],
    ["const { fork } = require('child_process');\nfork('helper.js');", false],
    ["// if (cluster.isPrimary) cluster.fork();\nrequire('./server');", false],
    ["/* if (cluster.isPrimary)\n cluster.fork(); */ listen('http://x');", false],
  ] as const) {
    t.equal(hasPrimaryBranch(text), has, text);
  }
});
