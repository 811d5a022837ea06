/**
 * The terminal of the live view: draws cells, tells keys, and leaves it as it was, whatever ends the process. All that knows
 * terminal-kit is here.
 */
import type { Writable } from 'node:stream';
import type { Line, Style } from '../output/runs.js';
import type { Output } from '../process/context.js';
import type { Size } from './view/view.js';

type Kit = typeof import('terminal-kit');
type Attributes = import('terminal-kit').ScreenBuffer.Attributes;
type Terminal = import('terminal-kit').Terminal;

/** Drawn at once by a terminal that knows it; nothing to any other. */
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
/** The other screen, emptied, without a cursor, and without what breaks lines that are too long. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[H\u001b[2J';
const LEAVE = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l';
const NORMAL: Attributes = { defaultColor: true, bgDefaultColor: true };

export interface ScreenOptions {
  readonly stdout: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly colour: boolean;
  readonly onKey: (key: string) => void;
  /** The size has changed, or the terminal has been somebody else's meanwhile. */
  readonly onStale: () => void;
  /** Nobody types any more. */
  readonly onEnd: () => void;
}

export class Screen {
  readonly #options: ScreenOptions;
  readonly #kit: Kit;
  readonly #terminal: Terminal;
  readonly #stream: Output & { readonly columns?: number; readonly rows?: number };
  #buffer: InstanceType<Kit['ScreenBuffer']> | null = null;
  /** What terminal-kit has written for one picture. */
  #written = '';
  #entered = false;
  #wasWide = false;

  private constructor(options: ScreenOptions, kit: Kit) {
    this.#options = options;
    this.#kit = kit;
    this.#stream = options.stdout;
    const { env } = options;
    const sink = { write: (text: string) => this.#collect(text), isTTY: false } as unknown as Writable;
    this.#terminal = kit.createTerminal({
      stdin: process.stdin,
      stdout: sink,
      stderr: sink,
      generic: /^[\w.-]+$/.test(env.TERM ?? '') ? env.TERM : 'xterm',
      isTTY: true,
      isSSH: env.SSH_CONNECTION !== undefined,
    } as unknown as Parameters<Kit['createTerminal']>[0]);
    this.#terminal.on('key', (key: string) => options.onKey(key));
  }

  /** From now on the terminal is the view's. */
  static async open(options: ScreenOptions): Promise<Screen> {
    const { default: kit } = await import('terminal-kit');
    const screen = new Screen(options, kit as unknown as Kit);
    process.on('exit', screen.close);
    // Before its stack trace is printed, which would go with this screen.
    process.on('uncaughtExceptionMonitor', screen.close);
    process.on('SIGCONT', screen.#again);
    screen.#stream.on('resize', screen.#stale);
    process.stdin.on('end', options.onEnd);
    process.stdin.on('error', options.onEnd);
    screen.#enter();
    return screen;
  }

  get size(): Size {
    return { width: this.#stream.columns || 80, height: this.#stream.rows || 24 };
  }

  draw(lines: readonly Line[]): void {
    if (!this.#entered) return;
    const buffer = this.#bufferOf(this.size);
    buffer.fill({ attr: NORMAL, char: ' ' });
    let isWide = false;
    for (const [y, line] of lines.entries()) {
      let x = 0;
      for (const { text, style } of line) {
        buffer.put({ x, y, attr: attributesOf(style, this.#options.colour), wrap: false } as never, text);
        const cells = this.#kit.stringWidth(text);
        isWide ||= cells !== text.length;
        x += cells;
      }
    }
    // What has changed alone, but beside characters of two cells: terminal-kit forgets what stood in their second ones.
    buffer.draw({ delta: !isWide && !this.#wasWide });
    this.#wasWide = isWide;
    this.#flush();
  }

  /** All of it is drawn by the next picture. */
  forget(): void {
    this.#buffer = null;
  }

  /** Stops the process until the shell goes on with it, the terminal being the shell's meanwhile. */
  suspend(): void {
    this.#leave();
    // All that belongs to it, as the terminal itself would do it.
    process.kill(0, 'SIGTSTP');
    setImmediate(this.#again);
  }

  /** The terminal is as it was before. May be called at any time, and twice. */
  readonly close = (): void => {
    this.#leave();
    // What it does itself when the process ends has been done.
    Object.assign(this.#terminal, { shutdown: true });
    process.off('exit', this.close);
    process.off('uncaughtExceptionMonitor', this.close);
    process.off('SIGCONT', this.#again);
    this.#stream.off('resize', this.#stale);
    process.stdin.off('end', this.#options.onEnd);
    process.stdin.off('error', this.#options.onEnd);
  };

  readonly #stale = (): void => {
    this.forget();
    this.#options.onStale();
  };

  readonly #again = (): void => {
    this.#entered = false;
    this.#enter();
    this.#stale();
  };

  #enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    this.#terminal.grabInput({});
    this.#write(ENTER);
    this.#written = '';
    this.forget();
  }

  #leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    try {
      this.#terminal.grabInput(false);
      this.#write(LEAVE);
    } catch {
      // The terminal has gone.
    }
    this.#written = '';
  }

  #bufferOf({ width, height }: Size): InstanceType<Kit['ScreenBuffer']> {
    const screenBuffer = this.#buffer;
    if (screenBuffer !== null && screenBuffer.width === width && screenBuffer.height === height) return screenBuffer;
    // It draws no further than the terminal is said to be.
    Object.assign(this.#terminal, { width, height });
    this.#buffer = new this.#kit.ScreenBuffer({ dst: this.#terminal, width, height, x: 1, y: 1 });
    return this.#buffer;
  }

  #collect(text: string): boolean {
    this.#written += text;
    return true;
  }

  #flush(): void {
    const text = this.#written;
    this.#written = '';
    if (text !== '') this.#write(`${BEGIN}${text}\u001b[0m${END}`);
  }

  /** As bytes: the guard of the terminal takes orders out of texts, and every text in a picture has been through it. */
  #write(text: string): void {
    if (!this.#stream.destroyed) this.#stream.write(Buffer.from(text));
  }
}

/** The 16 colours that every terminal has, as its owner has chosen them: readable on dark and on light. */
function attributesOf(style: Style, colour: boolean): Attributes {
  switch (style) {
    case 'bold':
      return { ...NORMAL, bold: true };
    case 'title':
      return { ...NORMAL, underline: true };
    case 'sorted':
      return { ...NORMAL, bold: true, underline: true };
    case 'chosen':
      return { ...NORMAL, inverse: true };
    case 'ask':
      return { ...NORMAL, bold: true, inverse: true };
    case 'dim':
      return colour ? { ...NORMAL, dim: true } : NORMAL;
    case 'good':
      return colour ? { ...NORMAL, defaultColor: false, color: 'green' } : NORMAL;
    case 'busy':
      return colour ? { ...NORMAL, defaultColor: false, color: 'yellow' } : NORMAL;
    case 'bad':
      return colour ? { ...NORMAL, defaultColor: false, color: 'red' } : { ...NORMAL, bold: true };
    case 'chart':
      return colour ? { ...NORMAL, defaultColor: false, color: 'cyan' } : NORMAL;
    default:
      return NORMAL;
  }
}
