/** A file with several applications, and the scripts that it names. */
import type { Test } from 'tap';

export const SCRIPTS = { 'api.js': '', 'worker.js': '', 'index.js': '', 'app.js': '' };

export function folder(t: Test, files: Record<string, string>): string {
  return t.testdir({ ...SCRIPTS, ...files });
}

export const OWN = `
drainTimeout: 20s
env: { MODE: production, VERSION: 1.10 }
apps:
  - name: api
    script: api.js
    instances: 2
    env: { PORT: 3000, VERSION: 2.0 }
  - name: worker
    script: worker.js
    drainTimeout: 5s
    args: [007]
`;
