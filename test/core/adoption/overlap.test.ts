import t from 'tap';
import { covers, coversKey, endpointOf, isSame, overlapsKey } from '../../../src/core/adoption/overlap.js';

t.test('a key tells the address that it stands for', async (t) => {
  t.same(endpointOf('127.0.0.1:80'), { host: '127.0.0.1', port: 80, ipv6Only: false });
  t.same(endpointOf('*:80'), { host: null, port: 80, ipv6Only: false });
  t.same(endpointOf('[::1]:80'), { host: '::1', port: 80, ipv6Only: false });
  t.same(endpointOf('[::]:80,v6only'), { host: '::', port: 80, ipv6Only: true });
  t.same(endpointOf('[fe80::1%eth0]:80'), { host: 'fe80::1%eth0', port: 80, ipv6Only: false });
  for (const key of ['*:0#0', '127.0.0.1:0#3', '/run/app.sock', 'udp/0.0.0.0:53', ''])
    t.equal(endpointOf(key), null, key);
});

t.test('which address takes in which, as the kernel looks sockets up', async (t) => {
  const inside: [string, string][] = [
    ['0.0.0.0:80', '127.0.0.1:80'],
    ['*:80', '127.0.0.1:80'],
    ['*:80', '0.0.0.0:80'],
    ['[::]:80', '0.0.0.0:80'],
    ['[::]:80', '[::1]:80'],
    ['[::]:80,v6only', '[::1]:80'],
    ['[::]:80', '[::]:80,v6only'],
  ];
  for (const [wide, narrow] of inside) {
    t.ok(coversKey(wide, narrow), `${wide} takes in ${narrow}`);
    t.notOk(coversKey(narrow, wide), `${narrow} does not take in ${wide}`);
    t.ok(overlapsKey(wide, narrow) && overlapsKey(narrow, wide), `${wide} and ${narrow} overlap`);
  }
  const apart: [string, string][] = [
    ['0.0.0.0:80', '[::1]:80'],
    ['0.0.0.0:80', '127.0.0.1:81'],
    ['127.0.0.1:80', '127.0.0.2:80'],
    ['[::]:80,v6only', '0.0.0.0:80'],
    ['[::]:80,v6only', '127.0.0.1:80'],
    ['*:0#0', '127.0.0.1:80'],
  ];
  for (const [one, other] of apart) {
    t.notOk(coversKey(one, other) || coversKey(other, one) || overlapsKey(one, other), `${one} and ${other} are apart`);
  }
});

t.test('"any" under two names is one address, which does not take in itself', async (t) => {
  const any = { host: null, port: 80, ipv6Only: false };
  const same = { host: '::', port: 80, ipv6Only: false };
  t.ok(isSame(any, same));
  t.notOk(covers(any, same) || covers(same, any));
  t.notOk(isSame(any, { ...same, ipv6Only: true }));
});
