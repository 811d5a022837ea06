import { readFileSync } from 'node:fs';
import t from 'tap';
import type { CheckId, CheckReport, CheckResult } from '../../src/platform/checks/check.js';
import { judgePromises } from '../../src/platform/checks/promises.js';
import { CHECKS } from '../../src/platform/doctor.js';

function reports(results: Partial<Record<CheckId, CheckResult>>): CheckReport[] {
  const all: Partial<Record<CheckId, CheckResult>> = {
    reusePort: 'ok',
    reuseAddr: 'ok',
    steering: 'ok',
    runtimeFolder: 'ok',
    takeover: 'ok',
    koffi: 'ok',
    systemd: 'missing',
    ...results,
  };
  return Object.entries(all).map(([id, result]) => ({
    id: id as CheckId,
    title: `the ${id}`,
    result,
    found: `${result} as found`,
    meaning: '',
    remedy: result === 'ok' ? null : `mend ${id}`,
  }));
}

t.test('each promise depends on its checks', async (t) => {
  const table: [Partial<Record<CheckId, CheckResult>>, string][] = [
    [{}, 'kept kept kept kept kept kept'],
    [{ steering: 'missing' }, 'kept kept kept broken kept kept'],
    [{ steering: 'degraded' }, 'kept kept kept broken kept kept'],
    [{ reusePort: 'missing', steering: 'missing' }, 'kept kept kept broken kept kept'],
    [{ steering: 'unknown' }, 'kept kept kept unknown kept kept'],
    [{ reusePort: 'unknown', steering: 'missing' }, 'kept kept kept broken kept kept'],
    [{ reuseAddr: 'missing' }, 'broken broken broken kept kept kept'],
    [{ reuseAddr: 'unknown' }, 'unknown unknown unknown kept kept kept'],
    [{ runtimeFolder: 'missing' }, 'broken broken broken broken kept broken'],
    [{ takeover: 'missing' }, 'kept kept kept kept kept broken'],
    [{ takeover: 'unknown' }, 'kept kept kept kept kept unknown'],
    [{ koffi: 'missing' }, 'kept kept kept kept kept broken'],
    [
      { openFiles: 'degraded', handover: 'degraded', container: 'degraded', affinity: 'missing' },
      'kept kept kept kept kept kept',
    ],
  ];
  for (const [results, expected] of table) {
    const states = judgePromises(reports(results)).map(({ state }) => state);
    t.equal(states.join(' '), expected, JSON.stringify(results));
  }
});

t.test(
  'a promise that is not kept has the reason and the remedy of the first check that speaks against it',
  async (t) => {
    const [, , , fourth] = judgePromises(reports({ reusePort: 'unknown', steering: 'missing' }));
    t.match(fourth, { number: 4, reason: 'the steering: missing as found', remedy: 'mend steering' });
    t.match(judgePromises(reports({}))[3], { state: 'kept', reason: null, remedy: null });
  },
);

t.test('a check that was not made is no good sign', async (t) => {
  t.same(
    judgePromises([]).map(({ state }) => state),
    ['unknown', 'unknown', 'unknown', 'unknown', 'kept', 'unknown'],
  );
});

t.test('the documentation lists the checks and the promises that there are', async (t) => {
  const text = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split(/\n## Checks\n|\n## Remedies\n/);
  const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, id]) => id);
  t.same(documented.sort(), CHECKS.map(({ id }) => id).sort());
  for (const { number, promise, checks } of judgePromises([])) {
    const needed = checks.map((id) => `\`${id}\``).join(', ') || 'nothing';
    t.ok(text.includes(`| ${number} | ${promise} | ${needed} |`), `promise ${number}`);
  }
});

t.test('the README promises what the doctor judges, no more and no less', async (t) => {
  const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split(/\n## What it promises\n|\nYour application stays as it is/);
  const promised = [...section.matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => Number(number));
  t.same(
    promised,
    judgePromises([]).map(({ number }) => number),
  );
});
