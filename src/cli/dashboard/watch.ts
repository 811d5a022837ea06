/** Looks at all supervisors of a runtime folder, each time somebody asks, and keeps what rates are made of. */
import { Connection } from '../../control/client/client.js';
import { runningNames } from '../../control/client/find.js';
import { controlSocketPath } from '../../control/socket-path.js';
import type { DashboardList, DashboardRow } from '../../protocol/page.js';
import { type History, NO_HISTORY, observe } from '../top/model/history.js';
import { pageOf, rowOf } from './rows.js';

/** Who takes longer does not answer: the others are shown all the same. */
const PATIENCE_MS = 2_000;

interface Known {
  readonly pid: number;
  readonly history: History;
  readonly page: string | null;
}

export class Watch {
  readonly #dir: string;
  #known = new Map<string, Known>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws HoldfastError RUNTIME_DIR_UNSAFE */
  async list(): Promise<DashboardList> {
    const names = await runningNames(this.#dir);
    const rows = await Promise.all(names.map((name) => this.#look(name)));
    this.#known = new Map([...this.#known].filter(([name]) => names.includes(name)));
    return { folder: this.#dir, rows };
  }

  /** Never rejects. */
  async #look(name: string): Promise<DashboardRow> {
    const connection = new Connection(name, controlSocketPath(this.#dir, name));
    try {
      const status = await connection.status(PATIENCE_MS, true);
      const before = this.#known.get(name);
      const isSame = before?.pid === status.pid;
      const page = isSame ? before.page : await pageAt(connection);
      const history = observe(isSame ? before.history : NO_HISTORY, status);
      this.#known.set(name, { pid: status.pid, history, page });
      return rowOf(name, history, page);
    } catch {
      return rowOf(name, NO_HISTORY, null);
    }
  }
}

/** One of another version may not tell. */
async function pageAt(connection: Connection): Promise<string | null> {
  const description = await connection.describe({}).catch(() => null);
  return pageOf(description?.settings.find(({ name }) => name === 'admin')?.value ?? null);
}
