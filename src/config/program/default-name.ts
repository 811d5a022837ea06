/**
 * The name of a supervisor whose owner gave none. Pure.
 */
import path from 'node:path';

/** Commands take it for every supervisor. */
const RESERVED = 'all';
/** Names that every other application has too, or that no supervisor may have. */
const GENERIC = new Set(
  'all app application bin build cjs current code dist esm index lib live main out release releases run server service src start web'.split(
    ' ',
  ),
);
/** Folders of the system: what lies right in them is named after nothing. */
const SYSTEM = new Set('data etc home local mnt opt root run srv tmp usr var workspace www'.split(' '));

/**
 * What someone who sees only `holdfast status` would call the application: the script's name, `/srv/shop/worker.js` →
 * `worker`, unless it says nothing, then the nearest folder that does: `/srv/shop/current/dist/server.js` → `shop`,
 * `/home/me/hello/index.mjs` → `hello`. In a container's `/app/server.js` it is `server` all the same.
 *
 * @param script absolute path, symbolic links not resolved: `current`, not the release that it leads to today
 */
export function defaultName(script: string): string {
  const own = fit(path.basename(script, path.extname(script)));
  if (own !== '' && !GENERIC.has(own.toLowerCase())) return own;
  for (let folder = path.dirname(script); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const name = fit(path.basename(folder));
    if (SYSTEM.has(name.toLowerCase())) break;
    if (name !== '' && !GENERIC.has(name.toLowerCase())) return name;
  }
  return own === '' || own === RESERVED ? 'app' : own;
}

/** Only what a name may have: see the option `name`. */
function fit(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
    .replace(/-+$/, '');
}
