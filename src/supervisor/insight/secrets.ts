/**
 * Which values are not shown to who has not asked for secrets: by the name of a variable, and passwords within URLs. Pure. A
 * name that says nothing may hold one all the same: whoever passes a description on should have looked at it.
 */

const SECRET_NAMES = new RegExp(
  [
    'pass(?:w(?:or)?d|phrase)|(?:^|_)pass(?:_|$)',
    'pwd$|secret|token|credential|private|jwt|dsn|salt|signature|cookie',
    '(?:^|_)auth(?:_|$|orization)|(?:^|_)(?:api)?keys?(?:_|$)|connection_?string',
  ].join('|'),
  'i',
);
/** Working folders, by the shell. */
const NO_SECRETS = /^(?:OLD)?PWD$/;
/** RFC 3986, section 3.2.1: what stands between user and host, also where it has an `@` that should have been `%40`. */
const PASSWORD_IN_URL = /(\b[a-z][a-z\d+.-]*:\/\/[^\s/:@]*:)[^\s/]+@/gi;
const KEY_BLOCK = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

export const MASK = '******';

/** @returns the value, with what may be a secret masked */
export function masked(name: string, value: string): string {
  // `maxMemory`, `DATABASE_PASSWORD`, `apiKey`: the same in all ways of writing.
  const plain = name.replace(/([a-z\d])([A-Z])/g, '$1_$2');
  if (value === '') return value;
  if ((SECRET_NAMES.test(plain) && !NO_SECRETS.test(name)) || KEY_BLOCK.test(value)) return MASK;
  return maskedUrls(value);
}

export function maskedUrls(value: string): string {
  return value.replace(PASSWORD_IN_URL, `$1${MASK}@`);
}
