// Checks the types of the sources, of the preload, which may use less, and of the tests.
import { compile } from './tsc.js';

for (const project of ['.', 'src/worker', 'test']) compile(project, '--noEmit');
