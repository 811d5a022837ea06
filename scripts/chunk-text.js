// What becomes of a file of the bundle once it is a text: it loads sooner, and takes less of the package and of memory.
// No line is added or taken away: the source maps are by line.

/** Modules of Node that take time to load: not before one of their functions is called, which at most starts none is. */
const LATE = /require\(["'`]node:(fs|timers)\/promises["'`]\)/g;
const LOADS_LATE = 'new Proxy({},{get:(_,n)=>require("node:$1").promises[n]})';

/**
 * Whoever imports the default of a module of Node gets it by an object with all its properties copied: 5 ms for those of
 * node:util, as each is looked at. Inherited, they cost nothing.
 */
const DEFAULT = /(([\w$]+)=require\(["'`]node:[\w/]+["'`]\);\s*\2=)[\w$.]+\(\2(?:,1)?\)/g;

/** @param code that has been shortened */
export function lighter(code) {
  const later = code.replaceAll(LATE, LOADS_LATE).replaceAll(DEFAULT, '$1{__proto__:$2,default:$2}');
  return inAscii(shortExports(later));
}

/** The same of the defaults in what has not been shortened. */
export function withoutCopies(code) {
  return code.replaceAll(
    /^(let (\w+) = require\("node:\w+"\);\n\2 = )__toESM\(\2\);$/gm,
    '$1{ __proto__: $2, default: $2 };',
  );
}

/** V8 keeps a source in two bytes a character where a single one needs them. There are no comments, and no raw templates. */
export function inAscii(code) {
  return code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What a file exports is half of some: each name of it is a long line of its own. No line is added or taken away. */
function shortExports(code) {
  const long = /Object\.defineProperty\(exports,("\w+"),\{enumerable:!0,get:function\(\)\{return ([\w$.`!]+)\}\}\)/g;
  if ((code.match(long) ?? []).length < 3) return code;
  const define = 'const __live=(name,get)=>Object.defineProperty(exports,name,{enumerable:!0,get});';
  return code.replaceAll(long, '__live($1,()=>$2)').replace(/^("use strict";|'use strict';)/, `$1${define}`);
}
