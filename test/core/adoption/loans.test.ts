import t from 'tap';
import { changeLoans, LOANS, type LoanEvent } from '../../../src/core/adoption/loans.js';
import type { HeldSocket, Loan, LoanState } from '../../../src/core/adoption/types.js';

const WORKER = 7;

function socketWith(...states: LoanState[]): HeldSocket {
  const loans: Loan[] = states.map((state) => ({ worker: WORKER, state }));
  return {
    slot: 0,
    key: '0.0.0.0:80',
    ...{ listened: true, served: true, fromBefore: false, holders: [], widened: [] },
    ...{ congested: false, helpers: [], closing: false, retiredSince: null, unusedSince: null, loans },
  };
}

const statesOf = ({ loans }: HeldSocket) => loans.map(({ state }) => state);

t.test('each event leads from each state to one, or to the end of the loan', async (t) => {
  const expected: Record<LoanState, Record<LoanEvent, LoanState[]>> = {
    adopted: {
      recalled: ['releasing'],
      notAdopted: ['refused'],
      released: ['adopted'],
      closed: [],
      leaves: ['releasing'],
      ended: [],
    },
    releasing: {
      recalled: ['releasing'],
      notAdopted: ['releasing'],
      released: [],
      closed: [],
      leaves: ['releasing'],
      ended: [],
    },
    refused: {
      recalled: ['refused'],
      notAdopted: ['refused'],
      released: ['refused'],
      closed: [],
      leaves: [],
      ended: [],
    },
  };
  for (const state of Object.keys(LOANS) as LoanState[]) {
    for (const event of Object.keys(LOANS[state]) as LoanEvent[]) {
      const socket = socketWith(state);
      const changed = changeLoans(socket, WORKER, event);
      t.same(statesOf(socket), expected[state][event], `${state}, ${event}`);
      t.equal(changed, expected[state][event][0] !== state, 'and it says whether that is news');
    }
  }
});

t.test('who is asked again before it has let go accepts until it has let go of both', async (t) => {
  const socket = socketWith('releasing', 'adopted');
  changeLoans(socket, WORKER, 'recalled');
  t.same(statesOf(socket), ['releasing', 'releasing']);
  changeLoans(socket, WORKER, 'released', true);
  t.same(statesOf(socket), ['releasing'], 'one answer for each time that it was asked');
  changeLoans(socket, WORKER, 'released', true);
  t.same(statesOf(socket), []);
});

t.test('what one worker tells says nothing of the loans of others', async (t) => {
  const socket = socketWith('adopted');
  t.equal(changeLoans(socket, 8, 'ended'), false);
  t.same(statesOf(socket), ['adopted']);
});
