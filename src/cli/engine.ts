/**
 * Settings of V8 for a process that stays and mostly sleeps. Imported first by what becomes the supervisor.
 *
 * The optimizing compiler is left out: nothing here is in the data path, and its code alone is 6 MB of memory.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-opt');
