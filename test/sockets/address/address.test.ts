import t from 'tap';
import { addressKey, type Endpoint, formatAddress, overlaps } from '../../../src/sockets/address/address.js';
import { request } from '../../fixtures/sockets/support.js';

t.test('names an address by host, port and what tells it apart', async (t) => {
  const table = [
    [request('0.0.0.0', 3000), '0.0.0.0:3000'],
    [request('::', 3000), '[::]:3000'],
    [request('::', 3000, { ipv6Only: true }), '[::]:3000,v6only'],
    [request('127.0.0.1', 3000, { ipv6Only: true }), '127.0.0.1:3000'],
    [request(null, 3000), '*:3000'],
    [request(null, 3000, { ipv6Only: true }), '*:3000,v6only'],
    [request(null, 3000, { family: 6 }), '*:3000'],
    [request(null, 0), '*:0#0'],
    [request(null, 0, { ordinal: 1 }), '*:0#1'],
  ] as const;
  for (const [address, key] of table) t.equal(addressKey(address), key);
});

t.test('writes addresses as people do', async (t) => {
  t.equal(formatAddress('10.0.0.1', 80), '10.0.0.1:80');
  t.equal(formatAddress('fe80::1%eth0', 80), '[fe80::1%eth0]:80');
  t.equal(formatAddress(null, 80), '*:80');
});

t.test('knows which addresses get in each other’s way', async (t) => {
  const at = (host: string | null, more: Partial<Endpoint> = {}) => ({ host, port: 80, ipv6Only: false, ...more });
  const v6only = { ipv6Only: true };
  const table: [Endpoint, Endpoint, boolean][] = [
    [at('127.0.0.1'), at('127.0.0.1'), true],
    [at('127.0.0.1'), at('127.0.0.1', { port: 81 }), false],
    [at('127.0.0.1'), at('127.0.0.2'), false],
    [at('127.0.0.1'), at('0.0.0.0'), true],
    [at('127.0.0.1'), at('::'), true],
    [at('127.0.0.1'), at(null), true],
    [at('127.0.0.1'), at('::', v6only), false],
    [at('127.0.0.1'), at('::1'), false],
    [at('0.0.0.0'), at('::'), true],
    [at('0.0.0.0'), at('::', v6only), false],
    [at('0.0.0.0'), at('::1'), false],
    [at('0.0.0.0'), at(null), true],
    [at('::1'), at('::'), true],
    [at('::1'), at('::', v6only), true],
    [at(null), at('::', v6only), true],
    [at(null), at(null), true],
  ];
  for (const [one, other, expected] of table) {
    const title = `${one.host} and ${other.host}${other.ipv6Only ? ' (IPv6 only)' : ''}`;
    t.equal(overlaps(one, other), expected, title);
    t.equal(overlaps(other, one), expected, `${title}, turned round`);
  }
});
