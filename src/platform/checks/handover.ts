/** Whether an open connection goes from one worker to another: tried, in a process of its own. */
import { fork } from 'node:child_process';
import { makeStreamPair } from '../../sockets/handles/stream-pair.js';
import { ownFile } from '../own-package.js';
import type { Check } from './check.js';

const TRIAL = ownFile('dist/worker/trial.js');

export const handover: Check<{ readonly failure: string | null }> = {
  id: 'handover',
  title: 'hand-over of open connections',
  async collect({ native, runtimeDir }, signal) {
    const [one, other] = await makeStreamPair(native, runtimeDir);
    const child = fork(TRIAL, [], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const end = () => child.kill('SIGKILL');
    const closed = new Promise((resolve) => child.once('close', resolve));
    signal.addEventListener('abort', end);
    try {
      return await new Promise((resolve, reject) => {
        child.on('message', (answer: { readonly failure?: string | null }) => {
          if (answer.failure !== undefined) resolve({ failure: answer.failure });
        });
        child.on('error', reject);
        child.on('exit', (code, by) => reject(new Error(`the trial ended with ${by ?? code}`)));
        // One after the other: each goes with a message of its own.
        child.send({}, one as never, () => child.send({}, other as never));
      });
    } finally {
      signal.removeEventListener('abort', end);
      end();
      one.close();
      other.close();
      await closed;
    }
  },
  judge: ({ failure }) =>
    failure === null
      ? {
          result: 'ok',
          found: 'an open connection was answered by the process that it was handed to',
          meaning: 'in a reload plain HTTP/1.1 connections go to the new workers open',
          remedy: null,
        }
      : {
          result: 'degraded',
          found: failure,
          meaning:
            'in a reload HTTP/1.1 clients are asked to connect again; silent ones are closed after their keep-alive time',
          remedy: 'use a version of Node that this version of holdfast is tested with: 20, 22, 24 or 26',
        },
};
