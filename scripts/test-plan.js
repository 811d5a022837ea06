// Which tests share a process, and which run beside which: decides only, scripts/test.js runs them. A program is what it makes of
// one file or of several.
import path from 'node:path';

/** They start whole supervisors, containers or systemd, take minutes, or are about types and tools. */
const HEAVY =
  /^(?:e2e|container|systemd|package|kubernetes|programs)\/|^core\/(?:(?:adoption\/)?simulation|takeover-simulation)\.|^worker\/handover/;
/** What they test starts programs, or they themselves do in a way that `startsProgram` does not see. */
const STARTED_BY_SUBJECT =
  /^(?:cli\/(?:doctor|init|unit(?:\/unit-install)?)|platform\/doctor-takeover|config\/file\/(?:applications-pm2|config-file)|supervisor\/workers\/(?:workforce|process\/(?:first-worker|handle)))\./;
/** With these one starts programs. */
const STARTS = /^node:(?:child_process|cluster)$|\/src\/spawn\.js$/;
/** Tests of a folder share a process: of most, starting it is most of the work. Not these: they change what Node does. */
const APART = /^(?:\.|worker(?:\/(?:channel|connections|datagrams|listen|outlive))?)$/;
/** They wait for seconds: with the rest of their folder the others would wait for them. */
const WAITING =
  /^(?:supervisor\/(?:deployments|workers\/(?:questions|channel))|control\/(?:client|server)|worker\/drain)$/;

/** They measure time, by timeouts of their own as well: two at a time, and nothing else beside them. The longest first. */
const TIMED = ['e2e/chaos', 'e2e/concurrency', 'e2e/steering', 'e2e/releases', 'e2e/sick'];
/** They keep half of a processor and more busy for a minute: three at a time at most. The longest first. */
const GREEDY = ['e2e/handover', 'e2e/kinds', 'e2e/grpc', 'e2e/connections'];
const MOST_GREEDY = 3;
/** The others that take long, the longest first, so that nobody waits for one at the end. */
const LONG = [
  'core/simulation',
  'e2e/looks',
  'programs/ci',
  'e2e/datagrams',
  'e2e/exec',
  'e2e/proxies',
  'e2e/reload',
  'e2e/page',
  'e2e/outlive',
  'e2e/prometheus',
  'e2e/integrations',
  'e2e/tls',
];
/** They keep half of the machine busy, or all of one processor for some of the time. */
const BUSY =
  /^(?:core\/simulation|e2e\/(?:proxies|reload|page|prometheus|integrations|tls)|container\/.*)$|^programs\/ci$/;
/** They boot the same machine, one after the other, and wait for it most of the time: four minutes, and 40 s of work. */
const OF_ONE_MACHINE = /^systemd\//;

/** All that are named here. */
export const named = [...TIMED, ...GREEDY, ...LONG];

/**
 * The programs of these files, by name. All tests of one of the first folders are one program, but for those that are heavy, need
 * a process of their own, or would hold up the others.
 */
export function gathered(files) {
  const programs = new Map();
  for (const file of files) {
    const folder = path.dirname(file);
    const isAlone = APART.test(folder) || HEAVY.test(file);
    const shared = WAITING.test(folder) ? folder : folder.split('/')[0];
    const name = isAlone ? file.replace(/\.ts$/, '') : `all-of-${shared.replaceAll('/', '-')}`;
    const { files: before } = programs.get(name) ?? { files: [] };
    programs.set(name, { name, title: isAlone ? `test/${file}` : `test/${shared}/`, files: [...before, file] });
  }
  return programs;
}

/**
 * Whether this is a test for the desk: it takes no minutes, and starts no program.
 *
 * @param importsOf what a file below `test` imports, as it says it; undefined where there is no such file
 */
export function isUnit(file, importsOf) {
  return !HEAVY.test(file) && !STARTED_BY_SUBJECT.test(file) && !startsProgram(file, importsOf, new Set());
}

/** It, or one of the files below `test` that it imports. */
function startsProgram(file, importsOf, seen) {
  if (seen.has(file)) return false;
  seen.add(file);
  return (importsOf(file) ?? []).some((id) => {
    if (STARTS.test(id)) return true;
    const other = path.posix.join(path.posix.dirname(file), id).replace(/\.js$/, '.ts');
    return id.startsWith('.') && startsProgram(other, importsOf, seen);
  });
}

const nameOf = ({ files: [file] }) => file.replace(/\.test\.ts$/, '');
const isTimed = (program) => TIMED.includes(nameOf(program));
const isGreedy = (program) => GREEDY.includes(nameOf(program));
const isWaiting = ({ files: [file] }) => WAITING.test(path.dirname(file));
const isOfOneMachine = (program) => OF_ONE_MACHINE.test(nameOf(program));

/** Nobody waits for a long one at the end: the long ones first, but for those that nothing may run beside. */
export function inOrder(programs) {
  const order = [...GREEDY, ...LONG];
  const rank = (program) => {
    // They add up to the longest.
    if (isOfOneMachine(program)) return -1;
    const name = nameOf(program);
    if (isTimed(program)) return order.length + 2 + TIMED.indexOf(name);
    if (order.includes(name)) return order.indexOf(name);
    return isWaiting(program) ? order.length : order.length + 1;
  };
  return [...programs].sort((a, b) => rank(a) - rank(b));
}

/**
 * The first that may start now; undefined where none may.
 *
 * @param shares how many of them there are: most tests wait most of the time, so one processor has more than one share
 */
export function nextProgram(waiting, running, shares) {
  const used = running.reduce((sum, program) => sum + sharesOf(program, shares), 0);
  const others = [...waiting, ...running].some((program) => !isTimed(program));
  return waiting.find((program) => {
    if (used + sharesOf(program, shares) > shares || (isTimed(program) && others)) return false;
    if (isOfOneMachine(program) && running.some(isOfOneMachine)) return false;
    return !isGreedy(program) || running.filter(isGreedy).length < MOST_GREEDY;
  });
}

function sharesOf(program, shares) {
  if (isTimed(program)) return shares / 2;
  if (isGreedy(program)) return 2;
  if (isWaiting(program)) return 0.25;
  return BUSY.test(nameOf(program)) ? 2 : 1;
}
