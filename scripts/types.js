// Checks the types of the sources, of the preload and the page, which may use less, and of the tests.
import { compile } from './tsc.js';

for (const project of ['.', 'src/worker', 'src/page', 'test']) compile(project, '--noEmit');
