/** What is asked of a supervisor at its admin address. */
import type { ControlResult } from './control.js';
import type { PageCommand, PageEvent } from './page.js';
import type { SupervisorStatus } from './status.js';

export type ProbeName = 'livez' | 'readyz' | 'startupz';

export interface ProbeAnswer {
  readonly ok: boolean;
  /** For people. */
  readonly reason: string;
}

/** What the admin server asks of the supervisor. */
export interface AdminTarget {
  probe(name: ProbeName): ProbeAnswer;
  status(): Promise<SupervisorStatus>;
  metrics(request: MetricsRequest): Promise<Page>;
  /** What who has the token may ask for. @param size for `scale` */
  command(name: PageCommand, size: string): Promise<ControlResult>;
  /** Tells what the page shows, at once and from then on, until the returned function is called. */
  follow(onEvent: (event: PageEvent) => void): () => void;
}

/** What a scraper asks for. */
export interface MetricsRequest {
  /** The header of that name. */
  readonly accept: string | null;
  /** Whether the application's metrics are told for each slot, and not together. */
  readonly byWorker: boolean;
  /** Whether workers are asked now, though a scrape was expected and they have told a second ago. */
  readonly noCache: boolean;
}

/** What is answered to it; bytes, as there are formats that are no text. */
export interface Page {
  readonly contentType: string;
  readonly body: Buffer;
}
