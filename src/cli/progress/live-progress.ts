/**
 * Draws the progress of a request on a terminal while it goes on: asks the supervisor how it stands, and draws that over what was
 * there. Loaded only there.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, ResultLine } from '../../control/client/client.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { replacedSlots } from '../../replaced-slots.js';
import { type Context, wantsColour } from '../process/context.js';
import { drawOver } from './draw-over.js';
import { type Pace, type ProgressView, progressLines, summaryLine, type Terminal } from './progress-view.js';

/** How often the supervisor is asked. */
const ASK_MS = 300;
/** How long it is waited for how it stands at the end. */
const LAST_MS = 2_000;
/** Time goes on where nothing else does. */
const DRAW_MS = 500;

export interface LiveRequest {
  readonly connection: Connection;
  readonly verb: string;
  readonly note: string;
  /** @param onStep told what goes on, as one line */
  readonly perform: (onStep: (text: string) => void, signal: AbortSignal) => Promise<ResultLine>;
}

/** @returns null where Ctrl-C has ended the view: what it shows goes on */
export async function drawProgress(
  { connection, verb, note, perform }: LiveRequest,
  { stderr, env, interrupted }: Context,
): Promise<ResultLine | null> {
  const terminal = stderr as typeof stderr & { readonly columns?: number; readonly rows?: number };
  const size = (): Terminal => ({
    // A line that is as wide as the terminal leaves the cursor beyond its end.
    width: (terminal.columns || 81) - 1,
    height: terminal.rows || 24,
    colour: wantsColour(stderr, env),
  });
  let drawn: readonly string[] = [];
  const draw = (lines: readonly string[]) => {
    // As bytes: the guard of the terminal takes orders out of texts, and every text in here has been through it.
    stderr.write(Buffer.from(drawOver(drawn, lines, size().width)));
    drawn = lines;
  };
  const began = performance.now();
  let status: SupervisorStatus | null = null;
  let lastStep: string | null = null;
  let since: Pace | null = null;
  const view = (): ProgressView => ({
    ...{ name: connection.name, verb, status, lastStep, note, since },
    elapsedMs: performance.now() - began,
  });
  const redraw = () => draw(progressLines(view(), size()));
  const left = interrupted();
  const over = new AbortController();
  const signal = AbortSignal.any([left, over.signal]);
  void ask();
  const timer = setInterval(redraw, DRAW_MS);
  terminal.on('resize', redraw);
  redraw();
  try {
    return await perform((text) => {
      lastStep = text;
      redraw();
    }, left);
  } catch (error) {
    if (left.aborted) return null;
    throw error;
  } finally {
    over.abort();
    clearInterval(timer);
    terminal.off('resize', redraw);
    // Who leaves is not kept waiting.
    if (verb === 'stop') status = null;
    else if (!left.aborted) status = await connection.status(LAST_MS).catch(() => status);
    draw([summaryLine(view(), size())]);
  }

  async function ask(): Promise<void> {
    while (!signal.aborted) {
      try {
        const answer = await connection.status();
        // What comes afterwards is not shown, nor waited for.
        if (signal.aborted) return;
        status = answer;
        const done = replacedSlots(answer);
        if (done > 0) since ??= { done, atMs: performance.now() - began };
        redraw();
      } catch {
        // It stops, or is busy: what was known last stays.
      }
      await delay(ASK_MS, undefined, { signal }).catch(() => {});
    }
  }
}
