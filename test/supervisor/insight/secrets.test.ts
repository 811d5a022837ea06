import t from 'tap';
import { masked } from '../../../src/supervisor/insight/secrets.js';

t.test('what may be a secret by its name is masked', async (t) => {
  for (const name of [
    ...['PASSWORD', 'DB_PASSWORD', 'MYSQL_ROOT_PASSWD', 'PGPASSWORD', 'DB_PASS', 'dbPassword', 'passphrase', 'DB_PWD'],
    ...['SECRET', 'SESSION_SECRET', 'clientSecret', 'GITHUB_TOKEN', 'NPM_TOKEN', 'AWS_SECRET_ACCESS_KEY'],
    ...['API_KEY', 'apiKey', 'STRIPE_KEY', 'KEY', 'PRIVATE_KEY', 'SENTRY_DSN', 'JWT', 'PASSWORD_SALT', 'BASIC_AUTH'],
    ...['AUTHORIZATION', 'CONNECTION_STRING', 'GOOGLE_CREDENTIALS', 'COOKIE'],
  ]) {
    t.equal(masked(name, 'hush'), '******', name);
    t.equal(masked(name, ''), '', 'that it is empty is no secret');
  }
});

t.test('what is none is shown as it is', async (t) => {
  for (const name of [
    'PATH',
    'PORT',
    'PWD',
    'OLDPWD',
    'AUTHOR',
    'MONKEY',
    'KEYBOARD',
    'NODE_ENV',
    'COMPASS',
    'PASSENGERS',
  ]) {
    t.equal(masked(name, 'hush'), 'hush', name);
  }
});

t.test('the password in a URL is masked, whatever the name', async (t) => {
  t.equal(masked('DATABASE_URL', 'postgres://shop:hush@db/shop?a=b'), 'postgres://shop:******@db/shop?a=b');
  t.equal(masked('DATABASE_URL', 'postgres://shop:hu@sh@db/shop'), 'postgres://shop:******@db/shop');
  t.equal(masked('URLS', 'redis://:hush@a redis://:hush@b'), 'redis://:******@a redis://:******@b');
  t.equal(masked('SITE', 'https://shop.example:8080/a@b'), 'https://shop.example:8080/a@b');
  t.equal(masked('FILE', '-----BEGIN RSA PRIVATE KEY-----\nhush'), '******');
});
