import t from 'tap';
import { addressKey } from '../../../src/sockets/address/address.js';
import { asNamed, rivalsOf } from '../../../src/sockets/address/rivals.js';
import { request } from '../../fixtures/sockets/support.js';

const socket = (host: string | null, slot: number | null, port = 80) => ({
  key: addressKey(request(host, port)),
  ...{ host: host ?? '::', port, ipv6Only: false, slot },
});
const keys = (found: readonly { readonly key: string }[]) => found.map(({ key }) => key);

t.test('"any" is asked for by the name under which it is there', async (t) => {
  const named = (host: string | null, ...present: ReturnType<typeof socket>[]) =>
    addressKey(asNamed(present, request(host, 80)));
  t.equal(named('::', socket(null, 0)), '*:80');
  t.equal(named(null, socket('::', 0)), '[::]:80');
  t.equal(named('::', socket(null, 0), socket('::', 1)), '[::]:80', 'as it was asked for, where that is there');
  t.equal(named('::', socket('0.0.0.0', 0)), '[::]:80');
  t.equal(named('127.0.0.1', socket(null, 0)), '127.0.0.1:80');
  t.equal(addressKey(asNamed([socket(null, 0, 0)], request('::', 0))), '[::]:0#0');
});

t.test('a socket of a slot is a rival of what it takes in, a shared one of all that overlaps', async (t) => {
  const narrow = request('127.0.0.1', 80);
  const wide = request('0.0.0.0', 80);
  t.same(keys(rivalsOf([socket('0.0.0.0', 1)], 0, narrow)), ['0.0.0.0:80']);
  t.same(keys(rivalsOf([socket('127.0.0.1', 1)], 0, wide)), [], 'a wider one can be bound beside it');
  t.same(keys(rivalsOf([socket('127.0.0.1', null)], 0, wide)), ['127.0.0.1:80']);
  t.same(keys(rivalsOf([socket('0.0.0.0', null)], 0, narrow)), ['0.0.0.0:80']);
  t.same(keys(rivalsOf([socket('0.0.0.0', null, 81), socket('127.0.0.2', null)], 0, narrow)), []);
  t.same(keys(rivalsOf([socket('0.0.0.0', 0), socket('127.0.0.1', 0)], 0, narrow)), [], 'its own is there already');
  t.same(
    keys(rivalsOf([socket('0.0.0.0', 0), socket('127.0.0.1', 0)], 1, narrow)),
    ['0.0.0.0:80'],
    'that of another slot',
  );
  t.same(rivalsOf([socket('0.0.0.0', null)], 0, request('127.0.0.1', 0)), [], 'a port that is not known yet');
});
