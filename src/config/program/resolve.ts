/**
 * From what an owner writes (`npm start`, `next`, a folder) to the script that Node runs, with the options of node, the
 * variables and the working folder that go with it. Reads files; runs nothing.
 */
import path from 'node:path';
import { didYouMean } from '../../nearest.js';
import { reasonFor, Unreadable } from '../text/text-file.js';
import { stepOf } from './command/commands.js';
import { joinWords } from './command/launchers.js';
import { preparationOf } from './command/preparation.js';
import { readShellText } from './command/shell-text.js';
import type { Step } from './command/step.js';
import { labelOf, quoted, severalCommands } from './command/told.js';
import { GONE, whyMissing } from './missing.js';
import { refuseCompanions } from './package/companions.js';
import { findInstalled, hasPackage, inspect, plugAndPlay, programFolders, throughLinks } from './package/installed.js';
import {
  entryOf,
  isFile,
  type Manifest,
  manifestIn,
  moduleFile,
  nearestManifest,
  scriptNames,
  scriptOf,
} from './package/manifest.js';
import { scriptVariables } from './package/script-variables.js';
import type { Program } from './program.js';
import { programName } from './program-name.js';
import { readVariables } from './variable-files.js';

export interface ResolveOptions {
  readonly cwd: string;
  /** What the command sees. */
  readonly env: NodeJS.ProcessEnv;
  /** The application's arguments, after `--`. */
  readonly args: readonly string[];
}

/** Commands within commands: more of them lead in a circle. */
const MOST_STEPS = 32;

/**
 * @param target one word, a whole command, or its words
 * @throws Unreadable with a phrase for a fault
 */
export async function resolveProgram(
  target: string | readonly string[],
  { cwd, env, args }: ResolveOptions,
): Promise<Program> {
  const words = [target].flat();
  const [only = ''] = words;
  const resolution = new Resolution(words.length === 1 ? only : joinWords(words), cwd, env);
  if (words.length === 1 && /\s/.test(only) && !(await isFile(path.resolve(cwd, only)))) {
    const program = await resolution.followText(only);
    return { ...program, args: [...program.args, ...args] };
  }
  // `npm` alone has its command in the arguments, as in PM2's files.
  return resolution.followGiven([...words, ...args], args.length);
}

class Resolution {
  readonly #target: string;
  readonly #given: NodeJS.ProcessEnv;
  readonly #env: Record<string, string> = {};
  readonly #nodeArgs: string[] = [];
  #cwd: string;
  #steps = 0;
  /** The words that the owner gave, where they are words; the command that it has come to. */
  #first: readonly string[] | null = null;
  #label: string;
  /** The last one that was looked at, without its folder. */
  #word = '';
  #isOfPackage = false;

  constructor(target: string, cwd: string, env: NodeJS.ProcessEnv) {
    this.#target = target;
    this.#label = target;
    this.#cwd = cwd;
    this.#given = env;
  }

  /** The owner's own words. */
  followGiven(words: readonly string[], own: number): Promise<Program> {
    this.#first = words;
    return this.follow(words, own);
  }

  /** @param own how many of the last words the owner passes to the application */
  async follow(words: readonly string[], own = 0): Promise<Program> {
    this.#countStep();
    const [word = '', ...args] = words;
    this.#label = labelOf(words, own);
    const file = path.resolve(this.#cwd, word);
    const isHere = this.#mayBePath(word) && (await isFile(file));
    const step = isHere && !isInstalledProgram(word) ? null : stepOf(words);
    this.#word = path.basename(word);
    if (step !== null) return this.#take(step, own);
    return isHere ? this.#runFile(file, args, own) : this.#runWord(word, args, own);
  }

  #countStep(): void {
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) throw new Unreadable(`must lead to a Node script; ${this.#label} leads in a circle`);
  }

  /** What the owner names may lie here; in a command, as in a shell, a bare word is a program. */
  #mayBePath(word: string): boolean {
    return word.includes('/') || word.startsWith('.') || (this.#steps === 1 && this.#first !== null);
  }

  async followText(text: string, own = 0, extra: readonly string[] = []): Promise<Program> {
    const read = readShellText(text, this.#variables());
    if ('reason' in read) {
      throw new Unreadable(`must be one command; ${this.#told(text)}: ${read.reason}; name the script itself`);
    }
    const { commands } = read;
    let last = commands[0]!;
    for (let at = 1; at < commands.length; at++) {
      const preparation = preparationOf(last);
      if (preparation === null) break;
      Object.assign(this.#env, preparation.env);
      if (preparation.cwd !== undefined) this.#cwd = path.resolve(this.#cwd, preparation.cwd);
      last = commands[at]!;
    }
    if (last.joint !== '' || last !== commands.at(-1))
      throw new Unreadable(severalCommands(this.#told(text), commands));
    Object.assign(this.#env, last.assignments);
    if (last.words.length === 0) throw new Unreadable(`must start a program; ${this.#told(text)} starts none`);
    return this.follow([...last.words, ...extra], own);
  }

  async #take(step: Step, own: number): Promise<Program> {
    switch (step.go) {
      case 'refuse':
        throw new Unreadable(`must lead to a Node script; ${this.#word} ${step.reason}`);
      case 'command':
        if (step.cwd !== undefined) this.#cwd = path.resolve(this.#cwd, step.cwd);
        for (const file of step.envFiles ?? []) {
          Object.assign(this.#env, await readVariables(file, this.#cwd, this.#variables()));
        }
        Object.assign(this.#env, step.env);
        return this.follow(step.words, Math.min(own, step.words.length - 1));
      case 'shell':
        Object.assign(this.#env, step.env);
        return this.followText(step.text);
      case 'script':
        return this.#runScript(step, own);
      case 'program':
        return this.#runWord(step.name, step.args, own);
      case 'node': {
        Object.assign(this.#env, step.env);
        if (step.needs !== undefined && !(await hasPackage(step.needs, this.#cwd))) {
          throw new Unreadable(
            `must have ${step.needs} installed; there is none in ${this.#cwd} or above: npm install ${step.needs}`,
          );
        }
        this.#nodeArgs.push(...step.nodeArgs);
        const file = path.resolve(this.#cwd, step.script);
        const folder = await manifestIn(file);
        const entry = (await moduleFile(file)) ?? (folder && (await entryOf(folder)));
        if (entry === null) throw new Unreadable(await reasonFor(file, GONE));
        return this.#result(entry, step.args, own);
      }
    }
  }

  /** Of a package.json, in its folder, as npm does it. */
  async #runScript({ name, args, orProgram, cwd }: Step & { go: 'script' }, own: number): Promise<Program> {
    if (cwd !== undefined) this.#cwd = path.resolve(this.#cwd, cwd);
    const manifest = await nearestManifest(this.#cwd);
    const text = manifest === null ? null : scriptOf(manifest, name);
    if (text === null && orProgram) return this.#runWord(name, args, own);
    if (manifest === null) throw new Unreadable(`must have a package.json; there is none in ${this.#cwd} or above`);
    this.#isOfPackage = true;
    if (text === null) {
      const fallback = path.join(manifest.folder, 'server.js');
      if (name === 'start' && (await isFile(fallback))) return this.#runFile(fallback, args, own);
      const hint = didYouMean(name, scriptNames(manifest));
      throw new Unreadable(
        `must be a script of ${path.join(manifest.folder, 'package.json')}; it has no ${name}${hint}`,
      );
    }
    refuseCompanions(manifest, { name, text, label: this.#label });
    this.#cwd = manifest.folder;
    await this.#addVariables(manifest, name, text);
    const options = await plugAndPlay(this.#cwd);
    if (!this.#nodeArgs.includes(options[0] ?? '')) this.#nodeArgs.push(...options);
    return this.followText(text, Math.min(own, args.length), args);
  }

  async #addVariables(manifest: Manifest, name: string, text: string): Promise<void> {
    const folders = await programFolders(this.#cwd);
    Object.assign(this.#env, scriptVariables(manifest, { name, text }));
    this.#env.PATH = [...folders, this.#variables().PATH ?? ''].filter((part) => part !== '').join(path.delimiter);
  }

  /** A word that is no file and no launcher: a folder, or something that is installed. */
  async #runWord(word: string, args: readonly string[], own: number): Promise<Program> {
    const folder = path.resolve(this.#cwd, word);
    const ofFolder = this.#mayBePath(word) ? await this.#runFolder(folder, args, own) : null;
    if (ofFolder !== null) return ofFolder;
    const isName = /^(?:@[\w.-]+\/)?[\w.-]+$/.test(word) && !/^\.+$/.test(word);
    const file = isName ? await findInstalled(word, this.#cwd, this.#variables()) : null;
    if (file !== null) return this.#runFile(file, args, own);
    throw new Unreadable(await whyMissing(word, { cwd: this.#cwd, isName, mayBePath: this.#mayBePath(word) }));
  }

  async #runFolder(folder: string, args: readonly string[], own: number): Promise<Program | null> {
    const manifest = await manifestIn(folder);
    const entry = manifest === null ? null : await entryOf(manifest);
    if (entry !== null) return this.#result(entry, args, own);
    if (manifest !== null && scriptOf(manifest, 'start') !== null) {
      this.#cwd = folder;
      return this.#runScript({ go: 'script', name: 'start', args, orProgram: false }, own);
    }
    const index = path.join(folder, 'index.js');
    return (await isFile(index)) ? this.#result(index, args, own) : null;
  }

  /** A file, whatever it is: what Node cannot run is followed, or refused. */
  async #runFile(file: string, args: readonly string[], own: number): Promise<Program> {
    const real = await throughLinks(file);
    const found = await inspect(real);
    switch (found.is) {
      case 'node':
        this.#nodeArgs.push(...found.nodeArgs);
        return this.#result(real, args, own);
      case 'shim':
        this.#countStep();
        this.#nodeArgs.push(...found.nodeArgs);
        if (found.nodePath !== null) this.#addNodePath(found.nodePath);
        return this.#runFile(path.resolve(path.dirname(real), found.script), args, own);
      case 'foreign': {
        const step = stepOf([...found.interpreter, real, ...args]);
        if (step !== null && !['sh', 'bash'].includes(found.interpreter[0] ?? '')) return this.#take(step, own);
        throw new Unreadable(
          `must lead to a Node script; ${real} is one for ${found.interpreter[0]}: name what it starts, or run it as it is with --exec`,
        );
      }
      case 'binary':
        throw new Unreadable(
          path.basename(real) === 'node'
            ? 'must not name a Node: workers run on the one that runs holdfast'
            : `must lead to a Node script; ${real} is a program for the machine itself: run it as it is with --exec`,
        );
    }
  }

  #addNodePath(folders: string): void {
    const before = this.#variables().NODE_PATH;
    this.#env.NODE_PATH = before ? `${folders}${path.delimiter}${before}` : folders;
  }

  #variables(): NodeJS.ProcessEnv {
    return { ...this.#given, ...this.#env };
  }

  #told(text: string): string {
    return text === this.#target ? `it is ${quoted(text)}` : `${this.#label} is ${quoted(text)}`;
  }

  #result(file: string, args: readonly string[], own: number): Program {
    const script = relativeTo(this.#cwd, file);
    const passed = Math.min(own, args.length);
    const left = this.#first === null ? this.#target : labelOf(this.#first, passed);
    const right = ['node', ...this.#nodeArgs, script, ...args.slice(0, args.length - passed)];
    return {
      script,
      args,
      nodeArgs: this.#nodeArgs,
      env: this.#env,
      cwd: this.#cwd,
      said: `${left} → ${joinWords(right)}`,
      name: programName(file, { cwd: this.#cwd, word: this.#word, isOfPackage: this.#isOfPackage }),
    };
  }
}

function isInstalledProgram(word: string): boolean {
  return path.basename(path.dirname(word)) === '.bin';
}

function relativeTo(folder: string, file: string): string {
  const relative = path.relative(folder, file);
  return relative.startsWith('..') ? file : relative;
}
