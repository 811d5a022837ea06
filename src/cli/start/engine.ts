/**
 * Settings of V8 for a process that stays and mostly sleeps. Imported first by what becomes the supervisor.
 *
 * The optimizing compiler is left out: nothing here is in the data path, and its code alone is 6 MB of memory.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-opt');
// New objects are a megabyte at most: to wake other threads for them, and to wait for those, takes longer than to collect them.
setFlagsFromString('--no-parallel-scavenge');
// Until `boundYoungGeneration` the young generation stays as small as it begins: a start would let it grow tenfold, and V8 gives
// that back late, Node 20's never.
setFlagsFromString('--semi-space-growth-factor=1');
